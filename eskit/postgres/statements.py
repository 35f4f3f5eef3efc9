"""SQL statements live in files, one each; the first comment of a file says what the statement is for."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, NamedTuple

_NAMED = re.compile(r"%\((\w+)\)s")


@cache
def statement(package: str, name: str) -> LiteralString:
    """The text of `<package>/sql/<name>.sql`. Values are always parameters: no SQL is put together in Python."""
    text: LiteralString = files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return text


class Numbered(NamedTuple):
    """A statement as PostgreSQL takes it: `$1`, `$2` … in place of the names, which are listed in that order."""

    text: str
    names: tuple[str, ...]


@cache
def numbered(package: str, name: str) -> Numbered:
    """The same for what goes past psycopg, straight to libpq."""
    numbers: dict[str, int] = {}
    text = _NAMED.sub(lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}", statement(package, name))
    return Numbered(text, tuple(numbers))
