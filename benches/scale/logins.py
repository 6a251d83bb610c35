"""What log-ins cost others, and whether their time tells which usernames exist. Prints Markdown tables.

    logins.py storm         the times of queries while 50 people log in at once, beside those of a quiet server
    logins.py enumeration   the times of failed log-ins of known and of unknown usernames"""

import random
import statistics
import sys
import threading
import time

from platform_dev import Platform, ask, post, quantile

STORM = 50
SENDERS, RATE = 4, 50
"""So many connections send so many queries a second each."""
QUIET_SECONDS = 10
STORMS = 5
TRIES = 200
QUERY = "{ viewer { username } projects(first: 10) { nodes { name group { name } } } }"
LOG_IN = "mutation($i: LoginInput!) { login(input: $i) { expiresAt } }"
ENVIRONMENT = {
    "BCRYPT_COST": "12",
    "RATE_LIMIT_LOGINS_PER_NAME": "0",
    "RATE_LIMIT_LOGINS_PER_ADDRESS": "0",
    "RATE_LIMIT_POINTS_PER_SECOND": "4000000000",
    "RATE_LIMIT_BURST_POINTS": "4000000000",
    "RUST_LOG": "warn",
}


def main() -> None:
    parts = {"storm": storm, "enumeration": enumeration}
    part = parts[sys.argv[1]]
    platform = Platform(ENVIRONMENT)
    try:
        # The demo accounts have cheap hashes; production has this cost.
        change = "mutation($i: ChangePasswordInput!) { changePassword(input: $i) { endedSessions } }"
        token = platform.log_in("ada")
        new = {"currentPassword": platform.passwords["ada"], "newPassword": "nine green bicycles"}
        platform.passwords["ada"] = new["newPassword"]
        ask(platform.connect(), change, {"i": new}, token)
        part(platform)
    finally:
        platform.stop()


def storm(platform: Platform) -> None:
    load = Load(platform)
    time.sleep(2)
    load.take()
    time.sleep(QUIET_SECONDS)
    quiet = load.take()
    took, loaded = [], []
    for _ in range(STORMS):
        load.take()
        began = time.perf_counter()
        people = [threading.Thread(target=platform.log_in, args=("ada",)) for _ in range(STORM)]
        for person in people:
            person.start()
        for person in people:
            person.join()
        took.append(time.perf_counter() - began)
        loaded += load.take()
        time.sleep(2)
    load.stop()
    print(f"| {SENDERS * RATE} queries/s | queries | p50 | p99 | longest |\n|---|--:|--:|--:|--:|")
    for name, times in [("quiet", quiet), (f"while {STORM} people log in (each time {statistics.median(took):.1f} s)", loaded)]:
        figures = [f"{1000 * figure:.1f} ms" for figure in (quantile(times, 0.5), quantile(times, 0.99), max(times))]
        print(f"| {name} | {len(times)} | {' | '.join(figures)} |")
    print(f"\np99: {quantile(loaded, 0.99) / quantile(quiet, 0.99):.2f} times the quiet value")


class Load:
    """Queries at a steady rate, whatever the earlier ones took."""

    def __init__(self, platform: Platform):
        self.times: list[float] = []
        self.stopped = threading.Event()
        self.token = platform.log_in("admin")
        self.senders = [threading.Thread(target=self.send, args=(platform, nth)) for nth in range(SENDERS)]
        for sender in self.senders:
            sender.start()

    def send(self, platform: Platform, nth: int) -> None:
        connection = platform.connect()
        due = time.perf_counter() + nth / SENDERS / RATE
        while not self.stopped.is_set():
            time.sleep(max(0.0, due - time.perf_counter()))
            ask(connection, QUERY, {}, self.token)
            # From when it was due: a query that waits for the one before counts the wait.
            self.times.append(time.perf_counter() - due)
            due += 1 / RATE

    def take(self) -> list[float]:
        """The times since the last call."""
        taken, self.times = self.times, []
        return taken

    def stop(self) -> None:
        self.stopped.set()
        for sender in self.senders:
            sender.join()


def enumeration(platform: Platform) -> None:
    connection = platform.connect()
    names = {"known": ["ada"] * TRIES, "unknown": [f"nobody-{number}" for number in range(TRIES)]}
    order = [(kind, name) for kind, all_of_kind in names.items() for name in all_of_kind]
    # In a random order, so that whatever else the machine does falls on both.
    random.shuffle(order)
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for kind, name in order:
        began = time.perf_counter()
        answer = post(connection, LOG_IN, {"i": {"username": name, "password": "not the password"}})
        times[kind].append(time.perf_counter() - began)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", answer
    print(f"| username | tries | median | p10 | p90 |\n|---|--:|--:|--:|--:|")
    for kind, taken in times.items():
        figures = [f"{1000 * quantile(taken, share):.1f} ms" for share in (0.5, 0.1, 0.9)]
        print(f"| {kind} | {len(taken)} | {' | '.join(figures)} |")
    known, unknown = (statistics.median(times[kind]) for kind in ("known", "unknown"))
    print(f"\nThe medians differ by {abs(known - unknown) / known:.1%}.")


if __name__ == "__main__":
    main()
