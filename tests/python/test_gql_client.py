"""The stock Python client `gql`: over HTTP, and over a WebSocket with a subscription that resumes."""

import asyncio

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError, TransportServerError
from gql.transport.httpx import HTTPXTransport
from gql.transport.websockets import WebsocketsTransport

VIEWER = gql("query Viewer { viewer { username } }")
SUBMIT = gql(
    "mutation Submit($input: SubmitJobInput!) { submitJob(input: $input) { job { id events(first: 1) { nodes { cursor } } } } }"
)
WATCH = gql(
    "subscription Watch($filter: JobEventFilter, $after: FeedCursor) { jobEvents(filter: $filter, after: $after) { cursor phase } }"
)
UNKNOWN_JOB = gql('mutation { cancelJob(input: { id: "job_01h455vb4pex5vsknk084sn02q" }) { job { id } } }')
PHASES = ["QUEUED", "RUNNING", "SUCCEEDED"]


@pytest.fixture(scope="module")
def token(platform) -> str:
    return platform.log_in("ada")


def over_http(platform, token) -> Client:
    return Client(transport=HTTPXTransport(platform.graphql_url, headers={"authorization": f"Bearer {token}"}, timeout=30))


def over_websocket(platform, token, **options) -> Client:
    """By itself gql offers both sub-protocols and speaks the older one where the server's headers are in lower case."""
    init_payload = {"authorization": f"Bearer {token}"}
    return Client(transport=WebsocketsTransport(platform.ws_url, init_payload=init_payload, **options))


NEWER = {"subprotocols": [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]}
OLDER = {"subprotocols": [WebsocketsTransport.APOLLO_SUBPROTOCOL]}


def submit(platform, token) -> dict:
    """The variables that watch a new job behind its first event."""
    projects = platform.ask("{ projects(first: 1) { nodes { id } } }", token=token)["projects"]["nodes"]
    job = {"projectId": projects[0]["id"], "name": "python", "source": {"spec": {"image": "busybox:1.37"}}}
    SUBMIT.variable_values = {"input": job}
    submitted = over_http(platform, token).execute(SUBMIT)["submitJob"]["job"]
    return {"filter": {"jobIds": [submitted["id"]]}, "after": submitted["events"]["nodes"][0]["cursor"]}


async def watch(platform, token, variables, enough, **options) -> list[dict]:
    """The events of a job, until `enough` of them came, from one connection."""
    seen = []
    WATCH.variable_values = variables
    async with over_websocket(platform, token, **options) as session:
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


@pytest.mark.parametrize("options", [{}, NEWER, OLDER], ids=["as it comes", "newer", "older"])
class TestEachSubProtocol:
    def test_a_query_over_the_socket(self, platform, token, options):
        async def run():
            async with over_websocket(platform, token, **options) as session:
                return await session.execute(VIEWER)

        assert asyncio.run(run())["viewer"]["username"] == "ada"

    def test_a_job_is_watched_to_its_end(self, platform, token, options):
        variables = submit(platform, token)
        over = lambda seen: seen[-1]["phase"] == "SUCCEEDED"  # noqa: E731
        events = asyncio.run(watch(platform, token, variables, over, **options))
        assert phases(events) == PHASES

    def test_a_refused_operation_leaves_the_socket_to_the_others(self, platform, token, options):
        async def run():
            async with over_websocket(platform, token, **options) as session:
                with pytest.raises(TransportQueryError) as refused:
                    await session.execute(gql("{ nothing }"))
                return refused.value.errors[0], await session.execute(VIEWER)

        error, answer = asyncio.run(run())
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert answer["viewer"]["username"] == "ada"

    def test_a_subscription_is_stopped_and_another_begins(self, platform, token, options):
        async def run():
            async with over_websocket(platform, token, **options) as session:
                for _ in range(2):
                    WATCH.variable_values = submit(platform, token)
                    async for event in session.subscribe(WATCH):
                        break
                return await session.execute(VIEWER)

        assert asyncio.run(run())["viewer"]["username"] == "ada"


def test_a_subscription_resumes_behind_the_last_cursor(platform, token):
    variables = submit(platform, token)
    first = asyncio.run(watch(platform, token, variables, lambda seen: True))
    variables["after"] = first[-1]["cursor"]
    rest = asyncio.run(watch(platform, token, variables, lambda seen: seen[-1]["phase"] == "SUCCEEDED"))
    assert phases(first + rest) == PHASES


def test_a_token_that_is_none_opens_no_socket(platform):
    async def run(**options):
        async with over_websocket(platform, "not-a-token", **options) as session:
            await session.execute(VIEWER)

    for options in ({}, NEWER):
        with pytest.raises(TransportConnectionFailed) as refused:
            asyncio.run(run(**options))
        assert refused.value.__cause__.rcvd.code == 4403
    with pytest.raises(TransportServerError, match="the access token is invalid"):
        asyncio.run(run(**OLDER))


def test_signs_of_life_keep_an_idle_socket_open(platform, token):
    """Every 15 seconds; the ack's own one is the first."""

    async def run():
        async with over_websocket(platform, token, **OLDER, keep_alive_timeout=18) as session:
            await asyncio.sleep(20)
            return await session.execute(VIEWER)

    assert asyncio.run(run())["viewer"]["username"] == "ada"
