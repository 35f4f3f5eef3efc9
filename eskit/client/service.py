"""What every typed client is: calls to one service, on connections of its own or on shared ones."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import ClassVar, Self, TypeVar, Unpack

import msgspec

from eskit.client.http import Answer, Connections, Limits
from eskit.errors import Unavailable

T = TypeVar("T")

JSON = {"Content-Type": "application/json"}


class ServiceClient:
    """Typed calls to a service, on connections that others share, or on its own: `async with` opens those."""

    service: ClassVar[str] = "a service"

    def __init__(self, at: str | Connections, **limits: Unpack[Limits]) -> None:
        """`at`: the service's URL, or open Connections, which have limits of their own."""
        if isinstance(at, Connections) and limits:
            message = "limits are those of the Connections: give them there"
            raise TypeError(message)
        self._shared = isinstance(at, Connections)
        self._connections = at if isinstance(at, Connections) else Connections(at, **limits)
        self.call = self._connections.call
        self.streaming = self._connections.streaming

    async def __aenter__(self) -> Self:
        if not self._shared:
            await self._connections.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._shared:
            await self._connections.__aexit__(kind, error, trace)

    async def wait_until_ready(self, patience_s: float | None = None) -> None:
        """As Connections.wait_until_ready says."""
        await self._connections.wait_until_ready(patience_s)

    async def read(self, decoder: msgspec.json.Decoder[T], answer: Awaitable[Answer]) -> T:
        """What a call answers, decoded."""
        found = await answer
        with self.understood():
            return decoder.decode(found.body)

    @contextmanager
    def understood(self) -> Iterator[None]:
        """An answer that cannot be understood comes from somebody else: a proxy whose service is away, for instance."""
        try:
            yield
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
            message = f"{self._connections.url} answers, but not as {self.service} does: {error}"
            raise Unavailable(message) from error
