"""A way to a service on which answers get lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


@asynccontextmanager
async def cutting(url: str, after_bytes: int) -> AsyncIterator[str]:
    """A way to the service whose every connection breaks after so many bytes of answers."""
    target = urlsplit(url)
    open_now: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(asyncio.current_task())
        there, to_there = await asyncio.open_connection(target.hostname, target.port)

        async def up() -> None:
            with suppress(ConnectionError):
                while data := await reader.read(65_536):
                    to_there.write(data)
            to_there.close()  # who asked has left: then nobody waits for an answer

        asking, left = asyncio.create_task(up()), after_bytes
        with suppress(ConnectionError):
            while left > 0 and (data := await there.read(65_536)):
                writer.write(data[:left])
                left -= len(data)
            await writer.drain()
        asking.cancel()
        for end in (to_there, writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()
        open_now.discard(asyncio.current_task())

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(20):
        await asyncio.gather(*(task for task in open_now if task is not None))
