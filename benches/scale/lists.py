"""The time that PostgreSQL takes for page 1 and page 1000 of every list, with 100,000 people and 5,000 groups.

The pages are asked for through the API, and PostgreSQL itself reports the time of every statement (auto_explain, which is EXPLAIN
ANALYZE of what the server really sends). A figure is the sum of the statements of one page, as the median of several requests.
Prints a Markdown table; `--plans` also prints the plan of every statement that took longer than the limit."""

import re
import statistics
import sys
import time
from pathlib import Path

from platform_dev import Platform, ask

PEOPLE, GROUPS, PROJECTS, REQUESTS, ENTRIES, NOTIFICATIONS = 100_000, 5_000, 25_000, 100_000, 300_000, 25_000
CLAIMS = 30_000
PAGE, DEEP, REPEATS = 20, 1000, 25
LIMIT_MS = 10.0
"""How long a first page may take."""

ROWS = [
    # Without the triggers that tell every server of every changed membership.
    "SET session_replication_role = replica",
    f"""INSERT INTO users (id, username, display_name, password_hash, created_at)
        SELECT gen_random_uuid(), 'p' || lpad(n::text, 6, '0'), 'Person ' || n, (SELECT password_hash FROM users WHERE username = 'ada'),
               '2025-01-01'::timestamptz + n * interval '1 minute'
          FROM generate_series(1, {PEOPLE}) n""",
    f"""INSERT INTO groups (id, name, description, created_at)
        SELECT gen_random_uuid(), 'g' || lpad(n::text, 5, '0'), '', '2025-01-01'::timestamptz + n * interval '1 minute'
          FROM generate_series(1, {GROUPS}) n""",
    # Or the planner takes the next ones for joins of empty tables.
    "ANALYZE",
    # Everybody in three groups, and 30,000 in the first.
    f"""INSERT INTO group_members (id, group_id, user_id, role, joined_at)
        SELECT gen_random_uuid(), g.id, u.id, CASE u.n % 20 WHEN 0 THEN 'ADMIN' WHEN 1 THEN 'MANAGER' ELSE 'MEMBER' END,
               '2025-06-01'::timestamptz + u.n * interval '1 minute'
          FROM (SELECT id, substr(username, 2)::int n FROM users WHERE username ~ '^p[0-9]{{6}}$') u
          JOIN generate_series(0, 2) k ON true
          JOIN (SELECT id, substr(name, 2)::int n FROM groups WHERE name ~ '^g[0-9]{{5}}$') g
            ON g.n = 2 + (u.n * 7 + k * 1499) % {GROUPS - 1}
        UNION ALL
        SELECT gen_random_uuid(), g.id, u.id, 'MEMBER', '2025-06-01'::timestamptz + substr(u.username, 2)::int * interval '1 minute'
          FROM users u, groups g WHERE g.name = 'g00001' AND u.username ~ '^p[0-9]{{6}}$' AND u.username <= 'p030000'""",
    f"""INSERT INTO projects (id, group_id, name, namespace, created_at)
        SELECT gen_random_uuid(), g.id, 'x' || lpad(n::text, 6, '0'), 'proj-x' || n, '2025-01-01'::timestamptz + n * interval '1 minute'
          FROM generate_series(1, {PROJECTS}) n
          JOIN groups g ON g.name = 'g' || lpad((CASE WHEN n <= 20500 THEN 1 ELSE 2 + n % {GROUPS - 1} END)::text, 5, '0')""",
    f"""INSERT INTO requests (id, author_id, tag, title, status, group_id, created_at, updated_at)
        SELECT gen_random_uuid(), u.id, 'QUESTION', 'Question ' || n, CASE n % 4 WHEN 0 THEN 'OPEN' ELSE 'RESOLVED' END, g.id,
               '2025-01-01'::timestamptz + n * interval '1 minute', now()
          FROM generate_series(1, {REQUESTS}) n
          JOIN users u ON u.username = 'p' || lpad((1 + n % {PEOPLE})::text, 6, '0')
          JOIN groups g ON g.name = 'g' || lpad((1 + n % {GROUPS})::text, 5, '0')""",
    f"""INSERT INTO notifications (id, user_id, kind, subject, message, created_at, read_at)
        SELECT gen_random_uuid(), u.id, 'JOB_ENDED', 'job_00000000000000000000000000', 'x',
               '2025-01-01'::timestamptz + n * interval '1 minute', CASE n % 10 WHEN 0 THEN NULL ELSE now() END
          FROM generate_series(1, {NOTIFICATIONS}) n, users u WHERE u.username IN ('admin', 'p000100')""",
    f"""INSERT INTO audit_log (id, at, actor_id, action, subject, "group")
        SELECT gen_random_uuid(), now() - n * interval '1 second', u.id, 'updateGroup', 'group_00000000000000000000000000', g.id
          FROM generate_series(1, {ENTRIES}) n
          JOIN users u ON u.username = 'p' || lpad((1 + n % {PEOPLE})::text, 6, '0')
          JOIN groups g ON g.name = 'g' || lpad((1 + n % {GROUPS})::text, 5, '0')""",
    # The first 20,500 in one project.
    f"""INSERT INTO storage_claims (id, project_id, group_id, namespace, name, display_name, created_by, storage_class, size, size_bytes,
               sent_bytes, access_mode, default_access, phase, created_at)
        SELECT gen_random_uuid(), p.id, p.group_id, p.namespace, 'c' || n, 'Claim ' || n, u.id, 'fast', '1Gi', 1073741824, 1073741824,
               'READ_WRITE_ONCE', CASE n % 3 WHEN 0 THEN 'READ' ELSE 'WRITE' END, 'BOUND', '2025-01-01'::timestamptz + n * interval '1 minute'
          FROM generate_series(1, {CLAIMS}) n
          JOIN projects p ON p.name = 'x' || lpad((CASE WHEN n <= 20500 THEN 1 ELSE n % {PROJECTS} END)::text, 6, '0')
          JOIN users u ON u.username = 'p' || lpad((1 + n % {PEOPLE})::text, 6, '0')""",
    "ANALYZE",
]

CLAIM_FIELDS = """id name displayName namespace managed createdAt storageClass accessMode size capacity phase reason message volumeName
    defaultAccess adminOnly readOnly viewerAccess resize { state } usage { used } project { name } group { name } user { username }
    createdBy { username } sharedFrom { name } shares { name } permissions { access user { username } } mounts { pod job { name } }"""

# The name of a list; who asks; what stands around it; the arguments besides those of the page; what is shown of an item.
LISTS = [
    ("users, as an admin", "admin", "{}", "users", "", "id username"),
    ("users by time", "admin", "{}", "users", "orderBy: { field: CREATED_AT, direction: DESC }", "id"),
    ("users in a state", "admin", "{}", "users", "filter: { states: [ACTIVE] }", "id"),
    ("users of a group of 30,000", "admin", "{}", "users", 'filter: { groupId: "GROUP" }', "id"),
    ("users, as a member of three groups", "p050000", "{}", "users", "", "id username"),
    ("users, as a member of a group of 30,000", "p000100", "{}", "users", "", "id username"),
    ("users found by a word", "admin", "{}", "users", 'filter: { search: "person" }', "id"),
    ("groups, as an admin", "admin", "{}", "groups", "", "id name"),
    ("groups by time", "admin", "{}", "groups", "orderBy: { field: CREATED_AT, direction: DESC }", "id"),
    ("groups, as a member", "p050000", "{}", "groups", "", "id name"),
    ("members of a group of 30,000", "admin", 'group(id: "GROUP") {}', "members", "", "id role"),
    ("memberships of a user", "admin", "viewer {}", "memberships", "", "id role"),
    ("projects, as an admin", "admin", "{}", "projects", "", "id name"),
    ("projects, as a member of three groups", "p050000", "{}", "projects", "", "id name"),
    ("projects of a group with 20,500", "admin", 'group(id: "GROUP") {}', "projects", "", "id name"),
    ("requests, as an admin", "admin", "{}", "requests", "", "id title"),
    ("requests, as a member of three groups", "p050000", "{}", "requests", "", "id title"),
    ("open requests, as an admin", "admin", "{}", "requests", "filter: { statuses: [OPEN] }", "id title"),
    ("notifications", "p000100", "{}", "notifications", "", "id kind"),
    ("unread notifications", "p000100", "{}", "notifications", "filter: { unread: true }", "id kind"),
    ("the audit log, as an admin", "admin", "{}", "auditLog", "", "id action"),
    ("the audit log of a group, as its admin", "p050000", "{}", "auditLog", "", "id action"),
    ("claims, as an admin, all fields", "admin", "{}", "pvcs", "", CLAIM_FIELDS),
    ("claims, as a member of a group of 30,000", "p000100", "{}", "pvcs", "", "id name"),
    ("claims of a project with 20,500", "p000100", "{}", "pvcs", 'filter: { projectId: "PROJECT" }', "id name"),
    ("bound claims of a class", "admin", "{}", "pvcs", 'filter: { phases: [BOUND], storageClasses: ["fast"] }', "id name"),
    ("sessions of a user", "admin", "viewer {}", "sessions", "", "id"),
]


def main() -> None:
    unlimited = {name: "4000000000" for name in ("RATE_LIMIT_POINTS_PER_SECOND", "RATE_LIMIT_BURST_POINTS")}
    platform = Platform(unlimited | {"RUST_LOG": "warn"})
    try:
        began = time.monotonic()
        platform.psql(*ROWS)
        print(f"rows written in {time.monotonic() - began:.0f} s", file=sys.stderr)
        Lists(platform).measure()
    finally:
        platform.stop()


class Lists:
    """The lists, measured one after the other."""

    def __init__(self, platform: Platform):
        self.platform = platform
        self.connection = platform.connect()
        found = ask(self.connection, '{ groups(filter: { names: ["g00001"] }) { nodes { id } } }', {}, self.token("admin"))
        self.group = found["groups"]["nodes"][0]["id"]
        found = ask(self.connection, '{ projects(filter: { names: ["x000001"] }) { nodes { id } } }', {}, self.token("admin"))
        self.project = found["projects"]["nodes"][0]["id"]
        self.log = self.trace()

    def token(self, username: str) -> str:
        password = self.platform.passwords["ada"] if username.startswith("p0") else None
        return self.platform.log_in(username, password)

    def trace(self) -> Path:
        """Has PostgreSQL report every statement from now on; the file in which it does."""
        settings = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
                    "auto_explain.log_analyze": "on", "auto_explain.log_timing": "off", "auto_explain.log_format": "text"}
        self.platform.psql("LOAD 'auto_explain'", *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()))
        self.platform.psql("SELECT pg_reload_conf()")
        time.sleep(1)
        # The settings are read when a connection is opened.
        self.platform.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
        time.sleep(3)
        process = self.platform.psql("SELECT pg_read_file('postmaster.pid')").splitlines()[0]
        return Path(f"/proc/{process}/fd/2").resolve()

    def measure(self) -> None:
        print(f"| list | items | page 1 | page {DEEP} | ratio |\n|---|--:|--:|--:|--:|")
        for name, who, around, field, arguments, shown in LISTS:
            token = self.token(who)
            query = self.query(around, field, arguments, shown)
            first = self.page(query, token, None, field)
            cursor, reached = self.deep(query, token, field)
            times = self.times(name, field, query, token, None)
            deep = self.times(name, field, query, token, cursor) if cursor else None
            line = f"| {name} | {self.total(first)} | {times:.2f} ms |"
            line += f" {deep:.2f} ms | {deep / times:.2f} |" if deep is not None else f" - (has {reached}) | - |"
            print(line, flush=True)

    def query(self, around: str, field: str, arguments: str, shown: str) -> str:
        page = f"{field}(first: $first, after: $after {arguments}) {{ nodes {{ {shown} }} pageInfo {{ endCursor hasNextPage }} }}"
        inner = f"{{ {page} }}"
        whole = inner if around == "{}" else "{ " + around.replace("{}", inner) + " }"
        return "query($first: Int, $after: String) " + whole.replace("GROUP", self.group).replace("PROJECT", self.project)

    def page(self, query: str, token: str, after: str | None, field: str, first: int = PAGE) -> dict:
        data = ask(self.connection, query, {"first": first, "after": after}, token)
        while field not in data:
            data = next(iter(data.values()))
        return data[field]

    def deep(self, query: str, token: str, field: str) -> tuple[str | None, int]:
        """The cursor before page DEEP, or nothing and the number of items, if there are fewer."""
        cursor, reached = None, 0
        while reached < PAGE * (DEEP - 1):
            step = min(100, PAGE * (DEEP - 1) - reached)
            page = self.page(query, token, cursor, field, step)
            reached += len(page["nodes"])
            cursor = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return None, reached
        return cursor, reached

    @staticmethod
    def total(page: dict) -> str:
        return "more" if page["pageInfo"]["hasNextPage"] else str(len(page["nodes"]))

    def times(self, name: str, field: str, query: str, token: str, after: str | None) -> float:
        """The median time of the statements of a page, in milliseconds."""
        # As often as it takes until PostgreSQL has a plan for all values.
        for _ in range(6):
            ask(self.connection, query, {"first": PAGE, "after": after}, token)
        took = []
        for _ in range(REPEATS):
            time.sleep(0.05)
            start = self.log.stat().st_size
            ask(self.connection, query, {"first": PAGE, "after": after}, token)
            time.sleep(0.05)
            with self.log.open() as log:
                log.seek(start)
                text = log.read()
            took.append((sum(reported(text, TABLES.get(field, field))), text))
        median = statistics.median(time for time, _ in took)
        if "--plans" in sys.argv and median > LIMIT_MS:
            print(f"\n{name}\n{took[-1][1]}", file=sys.stderr)
        return median


TABLES = {"members": "group_members", "memberships": "group_members", "auditLog": "audit_log", "pvcs": "storage_claims"}
"""The tables of the lists that are not named like them."""


def reported(log: str, table: str) -> list[float]:
    """The times of the statements in a piece of the log that read a page of a table. Background work reads no pages."""
    entries = re.split(r"(?=^[^\t].*LOG:  duration: )", log, flags=re.M)
    found = []
    for entry in entries:
        match = re.match(r".*LOG:  duration: ([0-9.]+) ms  plan:\n\tQuery Text: SELECT ", entry)
        if match and "LIMIT" in entry and table in entry:
            found.append(float(match[1]))
    return found


if __name__ == "__main__":
    main()
