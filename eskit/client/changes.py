"""What a program changed in a document, as a JSON Patch: it says that, and nothing about the rest.

A program's class may know fewer members than the stored document has, and numbers less exactly. What it did not change
must stay as it is, so only the difference between what it got and what it made of that goes to the service.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_OPERATIONS = 1000  # of one patch, as the CRUD service takes them

Operation = dict[str, Any]


def patch(stored: Any, got: Any, made: Any) -> list[Operation]:
    """From what a program got to what it made, for the document that is stored; all three as plain JSON values."""
    operations = list(_operations(stored, got, made, ""))
    if len(operations) <= MAX_OPERATIONS:
        return operations
    return list(_operations(stored, got, made, "", deep=False))


def _operations(stored: Any, got: Any, made: Any, at: str, *, deep: bool = True) -> Iterator[Operation]:
    for name in got:
        if name not in made and name in stored:
            yield {"op": "remove", "path": f"{at}/{_token(name)}"}
    for name, value in made.items():
        path = f"{at}/{_token(name)}"
        if name in got and _same(got[name], value):
            continue
        inner = (stored.get(name), got.get(name), value)
        if deep and all(isinstance(one, dict) for one in inner):
            yield from _operations(*inner, path)
        else:
            # "add" also replaces; a default of the class may stand where the document has nothing yet.
            yield {"op": "add", "path": path, "value": value}


def _same(one: Any, other: Any) -> bool:
    """Alike as JSON, where 1, 1.0 and true are three things."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
