"""Schemathesis sends operations generated from the schema: no 5xx, no INTERNAL, nothing over the deadline.

By itself a short run that is the same each time; SEARCH_SECONDS=300 searches that long with each token.
"""

import dataclasses
import os
import random
import time

import pytest
import requests
import schemathesis
from graphql import REMOVE, IntValueNode, ListValueNode, StringValueNode, Visitor, parse, print_ast, visit
from graphql.utilities import get_introspection_query
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

SECONDS = float(os.environ.get("SEARCH_SECONDS", "0"))
DEADLINE_SECONDS = 30
SEARCHERS = ["admin", "ada"]
SHORT_EXAMPLES = 4
LONG_EXAMPLES = 20

ODD_TEXT = ["", "\0", "' OR 1=1 --", "\u202e", "%s%n", "x" * 5000, "../../etc/passwd", "\u0000\ud7ff"]
YAML = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: main, image: 'busybox:1.37', args: ['%s']}\n"
GOOD_TEXT = {
    "name": ["alpha", "beta", "gamma-1", "delta"],
    "image": ["busybox:1.37", "python:3.12"],
    "queue": ["default-batch", "configfile-job"],
    "yaml": [YAML % "x", YAML % "\\0", YAML % "\u202e", YAML.replace("Pod", "Secret") % "x", "---\n---\n"],
    "username": ["maya", "nobody"],
    "idempotencyKey": ["one", "two"],
    "mountPath": ["/data", "/"],
    "workingDir": ["/tmp"],
}
QUANTITIES = ["500m", "1Gi", "0", "-1", "1e400", "99999999999Ei", "10GB", "", "0.0000000001"]
CURSORS = ["ZTA", "ZTE", "ZS0x", "ZTkyMjMzNzIwMzY4NTQ3NzU4MDc", "nonsense", ""]
MOMENTS = ["2026-11-23T09:41:07Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "yesterday"]

schemathesis.graphql.scalar("Quantity", st.sampled_from(QUANTITIES).map(nodes.String))
schemathesis.graphql.scalar("FeedCursor", st.sampled_from(CURSORS).map(nodes.String))
schemathesis.graphql.scalar("DateTime", st.sampled_from(MOMENTS).map(nodes.String))
schemathesis.graphql.scalar("JSON", st.sampled_from(["{}", "[]", "1"]).map(nodes.String))


class RealValues(Visitor):
    """Puts ids that exist, small pages and odd texts where random values would only be refused at the door."""

    def __init__(self, known: dict[str, list[str]], choice: random.Random):
        super().__init__()
        self.known, self.choice = known, choice

    def enter_argument(self, node, *_):
        return self.replaced(node)

    def enter_object_field(self, node, *_):
        return self.replaced(node)

    def replaced(self, node):
        name = node.name.value
        # A page from both ends, or behind a cursor that is none, is refused and nothing more.
        if name in ("after", "before", "last") and self.choice.random() < 0.7:
            return REMOVE
        value = self.another(name, node.value)
        return None if value is None else dataclasses.replace(node, value=value)

    def another(self, name: str, value):
        if name in ("first", "last") and isinstance(value, IntValueNode):
            return IntValueNode(value=str(self.choice.choice([0, 1, 5, 100, 101, -1])))
        if name.lower().endswith(("id", "ids")) and self.choice.random() < 0.8:
            if isinstance(value, StringValueNode):
                return self.some_id(name)
            if isinstance(value, ListValueNode):
                return ListValueNode(values=tuple(self.some_id(name) for _ in range(self.choice.randint(0, 3))))
        if isinstance(value, StringValueNode):
            chance = self.choice.random()
            if chance < 0.6 and name in GOOD_TEXT:
                return StringValueNode(value=self.choice.choice(GOOD_TEXT[name]))
            if chance < 0.8:
                return StringValueNode(value=self.choice.choice(ODD_TEXT))
        return None

    def some_id(self, name: str):
        kind = name.lower().removesuffix("s").removesuffix("id")
        ids = self.known.get(kind) or [one for all_of_kind in self.known.values() for one in all_of_kind]
        return StringValueNode(value=self.choice.choice(ids))


class Search:
    """What is asked with one token, and what came back."""

    def __init__(self, platform, username: str):
        self.platform, self.username = platform, username
        self.token = platform.log_in(username)
        self.known = self.ids()
        self.http = requests.Session()
        self.asked, self.codes, self.slowest = 0, {}, 0.0

    def ids(self) -> dict[str, list[str]]:
        query = """{ users { nodes { id username } } groups { nodes { id } } projects { nodes { id } } jobs { nodes { id } }
          configFiles { nodes { id commits { nodes { id } } } } }"""
        data = self.platform.ask(query, token=self.token)
        known = {kind: [node["id"] for node in data[kind + "s"]["nodes"]] for kind in ("user", "group", "project", "job")}
        # Whoever searches must not be disabled or deleted by the search of an admin.
        known["user"] = [user["id"] for user in data["users"]["nodes"] if user["username"] not in SEARCHERS]
        files = data["configFiles"]["nodes"]
        known["config"] = [file["id"] for file in files]
        known["commit"] = [commit["id"] for file in files for commit in file["commits"]["nodes"]]
        return known

    def ask(self, query: str, choice: random.Random):
        query = print_ast(visit(parse(query), RealValues(self.known, choice)))
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/graphql-response+json"}
        began = time.monotonic()
        response = self.http.post(self.platform.graphql_url, json={"query": query}, headers=headers, timeout=120)
        took = time.monotonic() - began
        told = f"{self.username}: {query}\n{response.status_code} {response.text[:2000]}"
        assert response.status_code < 500, told
        assert took <= DEADLINE_SECONDS, f"{took:.1f} s: {told}"
        codes = [error["extensions"]["code"] for error in response.json().get("errors", [])]
        assert "INTERNAL" not in codes, told
        self.asked += 1
        self.slowest = max(self.slowest, took)
        for code in codes or ["no error"]:
            self.codes[code] = self.codes.get(code, 0) + 1
        # Another operation may have ended the session.
        if response.status_code == 401:
            self.token = self.platform.log_in(self.username)

    def one_round(self, operations, examples: int, number: int):
        for operation in operations:

            @seed(number)
            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(), choice=st.randoms(use_true_random=False))
            def search(case, choice):
                self.ask(case.body, choice)

            search()


@pytest.mark.parametrize("username", SEARCHERS)
def test_nothing_that_the_schema_allows_is_a_defect(platform, username):
    answer = requests.post(platform.graphql_url, json={"query": get_introspection_query()}, timeout=60).json()
    schema = schemathesis.graphql.from_dict(answer["data"])
    operations = [result.ok() for result in schema.get_all_operations()]
    search = Search(platform, username)
    end, number = time.monotonic() + SECONDS, 0
    while number == 0 or time.monotonic() < end:
        search.one_round(operations, LONG_EXAMPLES if SECONDS else SHORT_EXAMPLES, number)
        number += 1
    asked = ", ".join(f"{code} {count}" for code, count in sorted(search.codes.items()))
    print(f"\n{username}: {search.asked} operations of {len(operations)} fields, slowest {search.slowest:.2f} s: {asked}")
    assert search.codes.get("no error", 0) > 0
