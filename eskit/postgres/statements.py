"""SQL statements live in files, one each; the first comment of a file says what the statement is for."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import LiteralString, cast


@cache
def statement(package: str, name: str) -> LiteralString:
    """The text of `<package>/sql/<name>.sql`. Values are always parameters: no SQL is put together in Python."""
    # Package data is as trusted as the source text beside it, which is all that LiteralString promises.
    return cast(LiteralString, files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8"))
