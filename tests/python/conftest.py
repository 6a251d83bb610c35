"""A running `platform dev` for the tests in this directory, and the number that passed, for `scripts/test`."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import requests

HERE = Path(__file__).parent
START_WITHIN_SECONDS = 90
RATE_LIMIT_TRIES = 15
LOGIN = "mutation($input: LoginInput!) { login(input: $input) { accessToken } }"


class Platform:
    """The server's addresses and accounts."""

    def __init__(self, ready: dict):
        self.graphql_url = ready["graphqlUrl"]
        self.ws_url = ready["wsUrl"]
        self.passwords = {user["username"]: user["password"] for user in ready["users"]}

    def ask(self, query: str, variables: dict | None = None, token: str | None = None) -> dict:
        """The data of an answer without errors; waits where a rate limit says to."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": query, "variables": variables or {}}
        for _ in range(RATE_LIMIT_TRIES):
            answer = requests.post(self.graphql_url, json=body, headers=headers, timeout=60).json()
            if [error["extensions"]["code"] for error in answer.get("errors", [])] != ["RATE_LIMITED"]:
                break
            time.sleep(5)
        assert "errors" not in answer, answer
        return answer["data"]

    def log_in(self, username: str) -> str:
        """The access token of somebody of the demo tenant: `admin`, or `ada`, a member of one group."""
        account = {"username": username, "password": self.passwords[username]}
        return self.ask(LOGIN, {"input": account})["login"]["accessToken"]


@pytest.fixture(scope="session")
def platform(tmp_path_factory) -> Platform:
    """PLATFORM_READY_FILE names the file of a server that runs already; otherwise PLATFORM_BIN is started."""
    given = os.environ.get("PLATFORM_READY_FILE")
    if given:
        yield Platform(json.loads(Path(given).read_text()))
        return
    binary = os.environ.get("PLATFORM_BIN", str(HERE / "../../target/debug/platform"))
    folder = tmp_path_factory.mktemp("platform")
    ready, log = folder / "ready.json", folder / "log"
    arguments = ["dev", "--ephemeral", "--port", "0", "--speed", "5", "--ready-file", str(ready)]
    with log.open("wb") as output:
        server = subprocess.Popen([binary, *arguments], stdout=output, stderr=output)
        try:
            end = time.monotonic() + START_WITHIN_SECONDS
            while not ready.exists():
                assert server.poll() is None and time.monotonic() < end, log.read_text()[-4000:]
                time.sleep(0.1)
            yield Platform(json.loads(ready.read_text()))
            assert server.poll() is None, f"the server ended by itself:\n{log.read_text()[-4000:]}"
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()


def pytest_terminal_summary(terminalreporter):
    """Writes the counts to the file that REPORT names, in the words of the other runners."""
    if "REPORT" in os.environ:
        count = {what: len(terminalreporter.getreports(what)) for what in ("passed", "failed", "error", "skipped")}
        counts = {
            "numPassedTests": count["passed"],
            "numFailedTests": count["failed"] + count["error"],
            "numPendingTests": count["skipped"],
            "numTodoTests": 0,
        }
        Path(os.environ["REPORT"]).write_text(json.dumps(counts))
