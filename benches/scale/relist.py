"""How long the watch takes to list all claims and to compare them with the table, beside the bare list of the same claims from the
same API server. Prints a Markdown table."""

import json
import statistics
import threading
import time
from urllib.parse import quote

from platform_dev import Platform, ask

CLAIMS, WRITERS, PAGE, ROUNDS = 10_000, 4, 500, 5
KIND = 'kind="PersistentVolumeClaim"'
UNLIMITED = {name: "4000000000" for name in ("RATE_LIMIT_POINTS_PER_SECOND", "RATE_LIMIT_BURST_POINTS")}


def main() -> None:
    platform = Platform(UNLIMITED | {"RUST_LOG": "warn"})
    try:
        token = platform.log_in("admin")
        answer = ask(platform.connect(), "{ projects(first: 1) { nodes { namespace } } }", {}, token)
        create(platform, answer["projects"]["nodes"][0]["namespace"])
        until_known(platform, token)
        # The controllers of the cluster bind the claims.
        while ask(platform.connect(), "{ pvcs(filter: { phases: [BOUND] }) { totalCount } }", {}, token)["pvcs"]["totalCount"] < CLAIMS:
            time.sleep(1)
        time.sleep(10)
        bare, relists = [], []
        for _ in range(ROUNDS):
            relists.append(relist(platform))
            time.sleep(3)
            bare.append(bare_list(platform))
        one, other = statistics.median(bare), statistics.median(relists)
        print(f"| {CLAIMS} claims | median of {ROUNDS} |\n|---|--:|")
        print(f"| the bare list, {PAGE} a page | {one:.2f} s |\n| list and compare | {other:.2f} s |\n\nratio: {other / one:.2f}")
    finally:
        platform.stop()


def relist(platform: Platform) -> float:
    """How long the list takes after the lease of the watch was lost, which is taken over at once."""
    counted = platform.metric("platform_watch_relist_seconds_count", KIND)
    before = platform.metric("platform_watch_relist_seconds_sum", KIND)
    platform.psql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    while platform.metric("platform_watch_relist_seconds_count", KIND) == counted:
        time.sleep(0.5)
    return platform.metric("platform_watch_relist_seconds_sum", KIND) - before


def create(platform: Platform, namespace: str) -> None:
    """Claims that were not created through the platform."""

    def write(first: int) -> None:
        connection = platform.connect_to_cluster()
        for number in range(first, CLAIMS, WRITERS):
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            body = json.dumps({"metadata": {"name": f"claim-{number}"}, "spec": spec})
            path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
            connection.request("POST", path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 201:
                raise SystemExit(text)

    writers = [threading.Thread(target=write, args=(first,)) for first in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


def until_known(platform: Platform, token: str) -> None:
    while ask(platform.connect(), "{ pvcs { totalCount } }", {}, token)["pvcs"]["totalCount"] < CLAIMS:
        time.sleep(0.2)


def bare_list(platform: Platform) -> float:
    connection, after, found = platform.connect_to_cluster(), "", 0
    began = time.perf_counter()
    while True:
        connection.request("GET", f"/api/v1/persistentvolumeclaims?limit={PAGE}&continue={quote(after)}")
        page = json.loads(connection.getresponse().read())
        found += len(page["items"])
        after = page["metadata"].get("continue", "")
        if not after:
            break
    took = time.perf_counter() - began
    if found < CLAIMS:
        raise SystemExit(f"the list has {found} claims")
    return took


if __name__ == "__main__":
    main()
