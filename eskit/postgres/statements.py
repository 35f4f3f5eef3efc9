"""SQL statements live in files, one each; the first comment of a file says what the statement is for."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import LiteralString


@cache
def statement(package: str, name: str) -> LiteralString:
    """The text of `<package>/sql/<name>.sql`. Values are always parameters: no SQL is put together in Python."""
    text: LiteralString = files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return text
