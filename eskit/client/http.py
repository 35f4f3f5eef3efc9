"""The transport of every client: one session, time-outs, retries of 503 with jitter, problems as errors."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from email.utils import parsedate_to_datetime
from time import time
from types import TracebackType
from typing import Any, NamedTuple, Self, TypedDict
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from multidict import CIMultiDictProxy
from yarl import URL

from eskit.client.patience import Patience
from eskit.errors import EskitError, Unavailable, error_for

LARGE_BYTES = 1 << 20

_OWN_MEMBERS = {"type", "title", "status", "detail", "code", "field"}


class Answer(NamedTuple):
    """What a service answered with 2xx or 304."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class Limits(TypedDict, total=False):
    """How patient a client is, and how wide. The defaults are those of `Connections`."""

    timeout_s: float
    patience_s: float
    connections: int


def segment(text: str) -> str:
    """One segment of a path: everything but letters, digits and `-._~` percent-encoded."""
    return quote(text, safe="")


def query(**parameters: Any) -> str:
    """The query of a URL, with its `?`; without parameters that are None, empty without any."""
    given = {name: _said(value) for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given, quote_via=quote)}" if given else ""


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")  # services take numbers as people write them: 30, not 30.0 or 3e1
    return str(value).lower() if isinstance(value, bool) else str(value)


class Connections:
    """Connections to one service, for any number of clients. An async context manager."""

    def __init__(self, url: str, *, timeout_s: float = 30.0, patience_s: float = 30.0, connections: int = 64) -> None:
        """`timeout_s`: of one attempt. `patience_s`: how long a service may be away before Unavailable is raised."""
        self.url = url.rstrip("/")
        self.patience_s = patience_s
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(connections)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # The total bounds one attempt; aiohttp's own default would be five minutes.
        timeout = aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=min(5.0, self._timeout_s))
        self._session = aiohttp.ClientSession(connector=self.connector(), timeout=timeout, auto_decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def connector(self) -> aiohttp.BaseConnector:
        """How connections are made."""
        # No limit of its own: aiohttp gives a connection that becomes free to whoever asks next, so that with as many
        # busy callers as connections one more would wait for ever. The semaphore serves in order.
        return aiohttp.TCPConnector(limit=0)

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        longer_s: float = 0.0,
    ) -> Answer:
        """One call, repeated with jitter while the service is away: only for what may safely be repeated.

        `path` starts with `/` and has its segments encoded already. `longer_s`: how long the service may wait on
        purpose. Raises the error that the service raised, and Unavailable when it did not answer within the patience.
        """
        patience = Patience(self.patience_s)
        while True:
            try:
                return await self._once(method, path, body, headers, longer_s)
            except Unavailable as error:
                await patience.pause(error)

    async def wait_until_ready(self, patience_s: float | None = None) -> None:
        """Return as soon as /readyz says so; raises Unavailable with what it says when it does not in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.patience_s if patience_s is None else patience_s)
        while True:
            try:
                await self._once("GET", "/readyz", None, None)
            except EskitError as error:
                if loop.time() > deadline:
                    raise Unavailable(f"{self.url} is not ready: {error.detail}") from error
            else:
                return
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def streaming(
        self, path: str, *, headers: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The pieces of one answer to GET as they arrive, however long that takes; not repeated.

        `silence_s`: how long nothing may arrive. It takes no turn from the other calls. Raises what `call` raises.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(5.0, self._timeout_s), sock_read=silence_s)
        with self._away():
            async with self._opened().get(self._at(path), headers=headers, timeout=timeout) as response:
                if response.status >= 400:
                    raise _error(Answer(response.status, response.headers, await response.read()))
                yield response.content.iter_any()

    async def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None, longer_s: float = 0.0
    ) -> Answer:
        session, url, timeout = self._opened(), self._at(path), None
        if longer_s:
            timeout = aiohttp.ClientTimeout(total=self._timeout_s + longer_s, sock_connect=min(5.0, self._timeout_s))
        # A large body goes in pieces: written as one it would hold up the event loop.
        data = io.BytesIO(body) if body is not None and len(body) > LARGE_BYTES else body
        with self._away():
            async with self._turns, session.request(method, url, data=data, headers=headers, timeout=timeout) as found:
                answer = Answer(found.status, found.headers, await found.read())
        if answer.status >= 400:
            raise _error(answer)
        return answer

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            message = "use the client as an async context manager: `async with … as client`"
            raise EskitError(message)
        return self._session

    def _at(self, path: str) -> URL:
        return URL(self.url + path, encoded=True)

    @contextmanager
    def _away(self) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{self.url} does not answer ({type(error).__name__})") from error


def _error(answer: Answer) -> EskitError:
    try:
        problem = answer.json()
    except msgspec.DecodeError:
        problem = None
    error = problem_error(answer.status, problem if isinstance(problem, dict) else {})
    if isinstance(error, Unavailable) and "Retry-After" in answer.headers:
        error.extra["retry_after_s"] = _seconds(answer.headers["Retry-After"])
    return error


def _seconds(retry_after: str) -> float:
    """Of a Retry-After (RFC 9110, 10.2.3); 0 for one that cannot be read."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except ValueError:
        return 0.0


def problem_error(status: int, problem: Mapping[str, Any]) -> EskitError:
    """The error of a problem document: the class that the service raised, with the members it added."""
    extra = {key: value for key, value in problem.items() if key not in _OWN_MEMBERS}
    kind = error_for(status, str(problem.get("code", "")))
    return kind(str(problem.get("detail") or f"HTTP status {status}"), field=problem.get("field"), **extra)
