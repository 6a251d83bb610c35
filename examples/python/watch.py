"""Lists your jobs and follows them with gql; loses and repeats nothing when the connection is cut.

    pip install 'gql[httpx,websockets]'
    PLATFORM_USERNAME=maya PLATFORM_PASSWORD=... python watch.py

Prints the list, then an event per line, as JSON. The tokens are kept in a file, so the next start needs no password.
"""

import asyncio
import json
import os
import random
from pathlib import Path

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportError, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import WebSocketException

URL = os.environ.get("PLATFORM_URL", "http://localhost:8080/graphql")
WS_URL = os.environ.get("PLATFORM_WS_URL", URL.replace("http", "ws", 1))
TOKENS = Path(os.environ.get("PLATFORM_TOKENS", Path.home() / ".platform-tokens.json"))

LOG_IN = "mutation($input: LoginInput!) { tokens: login(input: $input) { accessToken refreshToken } }"
REFRESH = "mutation($input: RefreshSessionInput!) { tokens: refreshSession(input: $input) { accessToken refreshToken } }"
LIST = """query Jobs {
  eventCursor
  jobs(first: 100, filter: {mine: true}, orderBy: {field: SUBMITTED_AT, direction: DESC}) { nodes { id name phase } }
}"""
WATCH = """subscription JobEvents($after: FeedCursor) {
  jobEvents(filter: {mine: true}, after: $after) { cursor job { id name phase } }
}"""
# What a connection that is cut, refused or half open raises.
CUT = (TransportError, WebSocketException, OSError, asyncio.TimeoutError)


def codes(problem: TransportQueryError) -> list[str]:
    return [error.get("extensions", {}).get("code") for error in problem.errors or []]


async def ask(query: str, variables: dict | None = None, token: str | None = None) -> dict:
    """The data of a response over HTTP."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with Client(transport=HTTPXAsyncTransport(URL, headers=headers)) as http:
        return await http.execute(GraphQLRequest(query, variable_values=variables))


class Session:
    """The tokens, renewed when the server rejects them."""

    def __init__(self, tokens: dict):
        self.tokens = tokens

    @classmethod
    async def begin(cls) -> "Session":
        if TOKENS.exists():
            return cls(json.loads(TOKENS.read_text()))
        account = {"username": os.environ["PLATFORM_USERNAME"], "password": os.environ["PLATFORM_PASSWORD"]}
        session = cls({})
        session.keep((await ask(LOG_IN, {"input": account}))["tokens"])
        return session

    def keep(self, tokens: dict):
        self.tokens = tokens
        with open(TOKENS, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(tokens, file)

    async def renew(self):
        """Fails with UNAUTHENTICATED if the session has ended: then the user has to log in again."""
        try:
            # No Authorization header: an expired token must not get in the way.
            self.keep((await ask(REFRESH, {"input": {"refreshToken": self.tokens["refreshToken"]}}))["tokens"])
        except TransportQueryError as problem:
            if "UNAUTHENTICATED" in codes(problem):
                TOKENS.unlink()
            raise

    async def ask(self, query: str) -> dict:
        try:
            return await ask(query, token=self.tokens["accessToken"])
        except TransportQueryError as problem:
            if "UNAUTHENTICATED" not in codes(problem):
                raise
        await self.renew()
        return await ask(query, token=self.tokens["accessToken"])

    def socket(self) -> WebsocketsTransport:
        init = {"authorization": f"Bearer {self.tokens['accessToken']}"}
        return WebsocketsTransport(WS_URL, init_payload=init, subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL])


async def follow(session: Session, on_list, on_event):
    """List, then watch; lists again when the event log does not reach back to the last cursor any more."""
    after, attempt = None, 0
    while True:
        socket = session.socket()
        try:
            if after is None:
                listed = await session.ask(LIST)
                after = listed["eventCursor"]
                on_list(listed)
            async with Client(transport=socket) as connection:
                async for result in connection.subscribe(GraphQLRequest(WATCH, variable_values={"after": after})):
                    on_event(result["jobEvents"])
                    after, attempt = result["jobEvents"]["cursor"], 0
                    # Older than this event, or soon repeated.
                    socket.payloads.pop("ping", None)
        except TransportQueryError as problem:
            if "RESUME_EXPIRED" in codes(problem):
                after = None
                continue
            extensions = [error.get("extensions", {}) for error in problem.errors or [{}]]
            if not all(extension.get("retryable") for extension in extensions):
                raise
            after = extensions[0].get("cursor", after)
        except CUT as problem:
            # How far the server has looked through the event log, if there was no event since.
            ping = socket.payloads.get("ping") or {}
            after = next(iter(ping.get("cursors", {}).values()), after)
            closed = getattr(problem.__cause__, "rcvd", None) if isinstance(problem, TransportConnectionFailed) else None
            if closed is not None and closed.code == 4403:
                try:
                    await session.renew()
                    continue
                except TransportConnectionFailed:
                    pass
        await asyncio.sleep(min(15, 0.25 * 2**attempt) * random.uniform(0.5, 1))
        attempt += 1


async def main():
    def tell(line):
        print(json.dumps(line), flush=True)

    await follow(await Session.begin(), on_list=tell, on_event=tell)


if __name__ == "__main__":
    asyncio.run(main())
