"""Documents once more, plainly, and by nothing of the service: numbers are their text, patches by the RFCs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any, NamedTuple

Document = dict[str, Any]


class Literal(NamedTuple):
    """A number as it stands in the text."""

    text: str


class Failed(Exception):
    """A JSON Patch that cannot be applied."""


class Gone:
    """Stands for no value."""


GONE = Gone()


def read(text: bytes | str) -> Any:
    """JSON with the text of each number."""
    return json.loads(text, parse_int=Literal, parse_float=Literal)


def write(value: Any) -> str:
    """Back again."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{write(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def escaped(key: str) -> str:
    """A step of a pointer, RFC 6901."""
    return key.replace("~", "~0").replace("/", "~1")


def steps(pointer: str) -> list[str]:
    """Its steps."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def changes(old: Document, new: Document, at: str = "") -> dict[str, tuple[Any, Any]]:
    """By pointer the value before and after, GONE where there is none; objects member by member, arrays whole."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in {**old, **new}:
        path, before, after = f"{at}/{escaped(key)}", old.get(key, GONE), new.get(key, GONE)
        if isinstance(before, dict) and isinstance(after, dict):
            found |= changes(before, after, path)
        elif before != after:
            found[path] = (before, after)
    return found


def leaves(value: Any, at: str = "") -> Iterator[str]:
    """The pointers of everything that is no object with members."""
    for key, child in value.items():
        path = f"{at}/{escaped(key)}"
        if isinstance(child, dict) and child:
            yield from leaves(child, path)
        else:
            yield path


def found(document: Any, pointer: str) -> Any:
    """The value at a pointer that leads through objects only; GONE where there is none."""
    for step in steps(pointer):
        if not isinstance(document, dict) or step not in document:
            return GONE
        document = document[step]
    return document


def patched(document: Any, patch: list[Document]) -> Any:
    """RFC 6902; raises Failed."""
    holder = [deepcopy(document)]
    for operation in patch:
        kind, path = operation["op"], ["0", *steps(operation["path"])]
        if kind in {"move", "copy"}:
            source = ["0", *steps(operation["from"])]
            if kind == "move" and path[: len(source)] == source and path != source:
                raise Failed
            value = deepcopy(_at(holder, source))
            if kind == "move":
                _remove(holder, source)
            _add(holder, path, value)
        elif kind == "test":
            if not _equal(_at(holder, path), operation["value"]):
                raise Failed
        elif kind == "remove":
            _remove(holder, path)
        else:
            if kind == "replace":
                _at(holder, path)
                if path != ["0"]:
                    _remove(holder, path)
            _add(holder, path, deepcopy(operation["value"]))
    return holder[0]


def _step(container: Any, step: str, end: int = 0) -> Any:
    """The key or index that a step names; `end` 1 where the place behind the last element is one."""
    if isinstance(container, dict):
        return step
    if not isinstance(container, list):
        raise Failed
    if step == "-" and end:
        return len(container)
    plain = step.isascii() and step.isdigit() and (step == "0" or step[0] != "0") and len(step) < 9
    if plain and int(step) < len(container) + end:
        return int(step)
    raise Failed


def _at(holder: Any, path: list[str]) -> Any:
    value = holder
    for step in path:
        key = _step(value, step)
        if isinstance(value, dict) and key not in value:
            raise Failed
        value = value[key]
    return value


def _remove(holder: Any, path: list[str]) -> None:
    _at(holder, path)
    if len(path) == 1:
        raise Failed
    parent = _at(holder, path[:-1])
    del parent[_step(parent, path[-1])]


def _add(holder: Any, path: list[str], value: Any) -> None:
    if len(path) == 1:
        holder[0] = value
        return
    parent = _at(holder, path[:-1])
    key = _step(parent, path[-1], end=1)
    if isinstance(parent, dict):
        parent[key] = value
    else:
        parent.insert(key, value)


def _equal(one: Any, other: Any) -> bool:
    """RFC 6902, section 4.6: numbers by value."""
    if isinstance(one, Literal) and isinstance(other, Literal):
        return Decimal(one.text) == Decimal(other.text)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)
