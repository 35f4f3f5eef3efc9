"""A TCP proxy before PostgreSQL, to break real connections at chosen moments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

CALL = b"append_batch"
PREPARED_CALL_BYTES = 150  # a prepared call does not name the function any more, but is longer than all else


class Proxy:
    """Forwards, until it is told to misbehave once."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        # Cut the client off in the next answer to an append, or in the next append itself: what still goes through is
        # `data[:n]`. So 0 is nothing of it, -6 an answer without its end (ReadyForQuery), which tells of the commit.
        self.cut_answer: int | None = None
        self.cut_call: int | None = None
        self.last_word = b""  # what the client gets before it is cut off in an answer
        self.hold_call = False  # cut the client off, keep the next append and deliver it by `deliver`
        self.refuse = False  # take no new connection
        self._held: tuple[asyncio.StreamWriter, bytes] | None = None
        self._appending: set[asyncio.StreamWriter] = set()  # clients that wait for the answer to an append
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """A new connection."""
        task = asyncio.create_task(self._serve(client, to_client))
        self._tasks.add(task)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._writers.append(to_client)
        if self.refuse:
            to_client.close()
            return
        server, to_server = await asyncio.open_connection(*self._target)
        self._writers.append(to_server)
        with suppress(ConnectionError):
            await asyncio.gather(self._up(client, to_client, to_server), self._down(server, to_client))

    async def _up(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter, to_server: asyncio.StreamWriter
    ) -> None:
        while data := await client.read(65_536):
            if CALL in data or len(data) > PREPARED_CALL_BYTES:
                self._appending.add(to_client)
                if self.cut_call is not None:
                    to_server.write(data[: self.cut_call])
                    self.cut_call = None
                    to_client.transport.abort()
                    break
                if self.hold_call:
                    self.hold_call = False
                    self._held = (to_server, data)
                    to_client.transport.abort()
                    return
            to_server.write(data)
        to_server.close()

    async def _down(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while data := await server.read(65_536):
            if self.cut_answer is not None and to_client in self._appending:
                to_client.write(data[: self.cut_answer] + self.last_word)
                self.cut_answer = None
                to_client.close()
                return
            self._appending.discard(to_client)
            to_client.write(data)
        to_client.close()

    async def deliver(self) -> bool:
        """Send what was held; whether the server still took it."""
        assert self._held is not None, "nothing is held"
        to_server, data = self._held
        to_server.write(data)
        with suppress(ConnectionError):
            await to_server.drain()
        return not to_server.is_closing()

    async def close(self) -> None:
        """Break everything."""
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the server of this URL, and the URL through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy((parts.hostname, parts.port))
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        login = parts.netloc.rpartition("@")[0]
        yield proxy, parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}").geturl()
    finally:
        await proxy.close()
        server.close()
