"""The file of an import, read in pieces: however long it is, a piece of it is in memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from eskit.cli.export_lines import EntityLine, EventLine, parsed
from eskit.errors import EskitError, InvalidRequest, TooLarge

# What is sent with one call.
PIECE_LINES = 500
PIECE_BYTES = 1 << 20
MAX_LINE_BYTES = 8 << 20


class FileLine(NamedTuple):
    """A line with its number, or what is wrong with it."""

    number: int
    size_bytes: int
    content: EntityLine | EventLine | EskitError


def size_bytes(file: BinaryIO) -> int | None:
    """Of a file; None where there is no telling, as of a pipe."""
    found = os.fstat(file.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def pieces(file: BinaryIO) -> Iterator[list[FileLine]]:
    """The lines, as many together as one call takes; those of another kind than the first good one are wrong."""
    piece: list[FileLine] = []
    size = 0
    kind: type | None = None
    for found in _lines(file):
        kind = kind or (None if isinstance(found.content, EskitError) else type(found.content))
        line = found if kind is None else _only(kind, found)
        if piece and (len(piece) == PIECE_LINES or size + line.size_bytes > PIECE_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(line)
        size += line.size_bytes
    if piece:
        yield piece


def _only(kind: type, line: FileLine) -> FileLine:
    if isinstance(line.content, kind | EskitError):
        return line
    what = "an event among entities" if kind is EntityLine else "an entity among events"
    return line._replace(content=InvalidRequest(f"This is {what}; a file has one or the other"))


def _lines(file: BinaryIO) -> Iterator[FileLine]:
    """Every line that is not blank."""
    number = 0
    while text := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        size = len(text)
        if size > MAX_LINE_BYTES:
            while text and not text.endswith(b"\n"):
                text = file.readline(MAX_LINE_BYTES)
                size += len(text)
            message = f"The line has more than {MAX_LINE_BYTES} bytes"
            yield FileLine(number, size, TooLarge(message, limit=MAX_LINE_BYTES))
        elif text.strip():
            yield FileLine(number, size, _parsed(text))


def _parsed(text: bytes) -> EntityLine | EventLine | EskitError:
    try:
        return parsed(text)
    except EskitError as error:
        return error
