"""A `platform dev` for the benchmarks in this directory: PLATFORM_BIN, or the release build. Only the standard library and psql are
needed."""

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
START_WITHIN_SECONDS = 180
LOG_IN = "mutation($i: LoginInput!) { login(input: $i) { accessToken } }"


class Platform:
    """The server, its database, and where both listen."""

    def __init__(self, environment: dict[str, str], arguments: tuple[str, ...] = ()):
        binary = os.environ.get("PLATFORM_BIN", str(ROOT / "target/release/platform"))
        self.folder = Path(tempfile.mkdtemp(prefix="platform-bench-"))
        ready, self.log = self.folder / "ready.json", self.folder / "log"
        command = [binary, "dev", "--ephemeral", "--port", "0", "--ready-file", str(ready), *arguments]
        self.process = subprocess.Popen(
            command, stdout=self.log.open("wb"), stderr=subprocess.STDOUT, env=os.environ | environment, cwd=self.folder
        )
        end = time.monotonic() + START_WITHIN_SECONDS
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"platform dev did not get ready:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)
        told = json.loads(ready.read_text())
        self.database_url = told["databaseUrl"]
        self.kubeconfig = Path(told["kubeconfig"])
        self.passwords = {user["username"]: user["password"] for user in told["users"]}
        url = urlsplit(told["graphqlUrl"])
        self.host, self.port = "127.0.0.1", url.port

    def connect_to_cluster(self) -> http.client.HTTPConnection:
        """To the API server of the embedded cluster."""
        server = urlsplit(re.search(r"server: \"?(http://[^\"}\s]+)", self.kubeconfig.read_text())[1])
        return http.client.HTTPConnection(server.hostname, server.port, timeout=300)

    def metric(self, name: str, labels: str) -> float:
        """The value of a metric, 0 if there is none yet."""
        connection = self.connect()
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        values = [line.split()[-1] for line in lines if line.startswith(f"{name}{{") and labels in line]
        return sum(map(float, values))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=300)

    def psql(self, *statements: str) -> str:
        """What psql prints for the statements, without headers. They run in order, each by itself."""
        psql = shutil.which("psql") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/psql")), None)
        if psql is None:
            raise SystemExit("psql is required")
        given = [part for statement in statements for part in ("-c", statement)]
        done = subprocess.run(
            [psql, "-XqAt", "-v", "ON_ERROR_STOP=1", *given, self.database_url], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        return done.stdout.strip()

    def log_in(self, username: str, password: str | None = None) -> str:
        """An access token."""
        given = {"username": username, "password": password or self.passwords[username]}
        return ask(self.connect(), LOG_IN, {"i": given})["login"]["accessToken"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def post(connection: http.client.HTTPConnection, query: str, variables: dict, token: str | None = None) -> dict:
    """The answer, whatever it is."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    connection.request("POST", "/graphql", json.dumps({"query": query, "variables": variables}), headers)
    return json.loads(connection.getresponse().read())


def ask(connection: http.client.HTTPConnection, query: str, variables: dict, token: str | None = None) -> dict:
    """The data of an answer, which must have no errors."""
    answer = post(connection, query, variables, token)
    if answer.get("errors"):
        raise SystemExit(f"{query}\n{answer['errors']}")
    return answer["data"]


def quantile(values: list[float], share: float) -> float:
    """The value that this share of the others does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
