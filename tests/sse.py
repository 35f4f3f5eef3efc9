"""A strict reader of server-sent events, after the WHATWG's HTML standard, 9.2.6."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp


class Message(NamedTuple):
    """One dispatched message, or a comment (then `data` is None)."""

    last_id: str
    data: str | None
    comment: str = ""


async def messages(response: aiohttp.ClientResponse) -> AsyncIterator[Message]:
    """Messages and comments in order; a message without data is yielded with data "" when it changes the last id."""
    last_id, told, data = "", "", list[str]()
    buffer = b""
    async for piece in response.content.iter_any():
        *lines, buffer = (buffer + piece).split(b"\n")
        for raw in lines:
            line = raw.decode()
            assert "\r" not in line
            if not line:
                if data or last_id != told:
                    yield Message(last_id, "\n".join(data))
                told, data = last_id, []
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not name:
                yield Message(last_id, None, value)
            elif name == "id":
                last_id = value
            elif name == "data":
                data.append(value)
            else:
                assert name == "retry", line
                assert value.isdecimal()
