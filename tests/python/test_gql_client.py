"""The stock Python client `gql`: over HTTP, and over a WebSocket with a subscription that resumes."""

import asyncio

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.httpx import HTTPXTransport
from gql.transport.websockets import WebsocketsTransport

VIEWER = gql("query Viewer { viewer { username } }")
SUBMIT = gql(
    "mutation Submit($input: SubmitJobInput!) { submitJob(input: $input) { job { id events(first: 1) { nodes { cursor } } } } }"
)
WATCH = gql(
    "subscription Watch($filter: JobEventFilter, $after: Cursor) { jobEvents(filter: $filter, after: $after) { cursor phase } }"
)
UNKNOWN_JOB = gql('mutation { cancelJob(input: { id: "job_01h455vb4pex5vsknk084sn02q" }) { job { id } } }')
PHASES = ["QUEUED", "RUNNING", "SUCCEEDED"]


@pytest.fixture(scope="module")
def token(platform) -> str:
    return platform.log_in("ada")


def over_http(platform, token) -> Client:
    return Client(transport=HTTPXTransport(platform.graphql_url, headers={"authorization": f"Bearer {token}"}, timeout=30))


def over_websocket(platform, token) -> Client:
    """By itself gql offers an older protocol too, and takes that when the server's header is not in capitals as its own."""
    transport = WebsocketsTransport(
        platform.ws_url,
        init_payload={"authorization": f"Bearer {token}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    return Client(transport=transport)


def submit(platform, token) -> dict:
    """The variables that watch a new job behind its first event."""
    projects = platform.ask("{ projects(first: 1) { nodes { id } } }", token=token)["projects"]["nodes"]
    job = {"projectId": projects[0]["id"], "name": "python", "spec": {"image": "busybox:1.37"}}
    SUBMIT.variable_values = {"input": job}
    submitted = over_http(platform, token).execute(SUBMIT)["submitJob"]["job"]
    return {"filter": {"jobIds": [submitted["id"]]}, "after": submitted["events"]["nodes"][0]["cursor"]}


async def watch(platform, token, variables, enough) -> list[dict]:
    """The events of a job, until `enough` of them came, from one connection."""
    seen = []
    WATCH.variable_values = variables
    async with over_websocket(platform, token) as session:
        async for event in session.subscribe(WATCH):
            seen.append(event["jobEvents"])
            if enough(seen):
                break
    return seen


def phases(events) -> list[str]:
    """Each phase once: events of tasks come between those of the job."""
    told = [event["phase"] for event in events]
    return [phase for place, phase in enumerate(told) if place == 0 or told[place - 1] != phase]


def test_a_query_over_http(platform, token):
    assert over_http(platform, token).execute(VIEWER) == {"viewer": {"username": "ada"}}


def test_a_refusal_has_its_code(platform, token):
    with pytest.raises(TransportQueryError) as refused:
        over_http(platform, token).execute(UNKNOWN_JOB)
    assert refused.value.errors[0]["extensions"]["code"] == "NOT_FOUND"


def test_a_query_over_the_socket(platform, token):
    async def run():
        async with over_websocket(platform, token) as session:
            return await session.execute(VIEWER)

    assert asyncio.run(run())["viewer"]["username"] == "ada"


def test_a_job_is_watched_to_its_end(platform, token):
    variables = submit(platform, token)
    events = asyncio.run(watch(platform, token, variables, lambda seen: seen[-1]["phase"] == "SUCCEEDED"))
    assert phases(events) == PHASES


def test_a_subscription_resumes_behind_the_last_cursor(platform, token):
    variables = submit(platform, token)
    first = asyncio.run(watch(platform, token, variables, lambda seen: True))
    variables["after"] = first[-1]["cursor"]
    rest = asyncio.run(watch(platform, token, variables, lambda seen: seen[-1]["phase"] == "SUCCEEDED"))
    assert phases(first + rest) == PHASES


def test_a_token_that_is_none_opens_no_socket(platform):
    async def run():
        async with over_websocket(platform, "not-a-token") as session:
            await session.execute(VIEWER)

    with pytest.raises(TransportConnectionFailed) as refused:
        asyncio.run(run())
    assert refused.value.__cause__.rcvd.code == 4403
