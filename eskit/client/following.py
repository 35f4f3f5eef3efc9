"""Answers that go on: lines and server-sent events as they arrive, and reading on where a connection broke."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import NamedTuple

from eskit.client.patience import Patience
from eskit.errors import Unavailable
from eskit.events import Event

Position = int
Told = tuple[Position, Event | None]
"""A position that was looked at, and the event there, if it is one that is wanted."""


class Message(NamedTuple):
    """A server-sent event: the last position that was looked at, and the event there, if it is one that is wanted."""

    position: Position
    data: bytes


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines without their ends. What follows the last end is not one: it was cut."""
    rest: list[bytes] = []
    async for piece in pieces:
        first, *others = piece.split(b"\n")
        rest.append(first)
        if others:
            yield b"".join(rest)
            for line in others[:-1]:
                yield line
            rest = [others[-1]]


async def messages(pieces: AsyncIterator[bytes]) -> AsyncIterator[Message]:
    """Messages of a live tail, after the WHATWG's HTML standard, 9.2; comments are left out."""
    position, data = 0, b""
    async for line in lines(pieces):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"id":
            position = int(value)
        elif name == b"data":
            data = value  # ours are one line
        elif not line and position:
            yield Message(position, data)
            data = b""


async def followed(
    read: Callable[[Position], AsyncGenerator[Told, None]],
    first: Position,
    patience_s: float,
    *,
    endless: bool,
) -> AsyncGenerator[Event, None]:
    """The events that `read` gives from a position on, and goes on behind the last one when the connection breaks.

    `endless`: an end is no end, but one more connection that is over. Raises Unavailable after the patience.
    """
    patience = Patience(patience_s)
    while True:
        try:
            async with aclosing(read(first)) as told:
                async for position, event in told:
                    first = position + 1
                    patience.worked()
                    if event is not None:
                        yield event
            if not endless:
                return
            await patience.pause(Unavailable("The event store ends the live tail again and again"))
        except Unavailable as error:
            await patience.pause(error)
