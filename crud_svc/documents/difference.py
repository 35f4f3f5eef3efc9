"""Documents as values: what changed between two of them, and how an event says it. Pure: nothing changes in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType

from crud_svc.documents.exact_json import encode, identical, token

Document = dict[str, Any]

# Below this size the patch is stored even where the new document is shorter: it says what happened.
ALWAYS_PATCH_BYTES = 65_536


class Change(NamedTuple):
    """One place that differs: a JSON pointer, and the value before and after; UNSET where there was none."""

    path: str
    old: Any | UnsetType
    new: Any | UnsetType


def changes(old: Document, new: Document, at: str = "") -> Iterator[Change]:
    """Every member that differs. Objects are compared member by member, arrays as a whole, shared parts not at all."""
    for key in old:
        if key not in new:
            yield Change(f"{at}/{token(key)}", old[key], UNSET)
    for key, value in new.items():
        path = f"{at}/{token(key)}"
        if key not in old:
            yield Change(path, UNSET, value)
            continue
        before = old[key]
        if before is value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            yield from changes(before, value, path)
        elif not identical(before, value):
            yield Change(path, before, value)


def merged(target: Any, patch: Any) -> Any:
    """The target with a JSON Merge Patch (RFC 7396) applied. Untouched parts are shared with the target."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key), value)
        else:
            result[key] = value
    return result


def merge_into(target: Document, patch: Document) -> None:
    """The same in place, for a target and a patch that nobody else sees."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            present = target.get(key)
            if not isinstance(present, dict):
                present = target[key] = {}
            merge_into(present, value)
        else:
            target[key] = value


def merge_patch(old: Document, new: Document) -> Document:
    """The JSON Merge Patch from one to the other. It cannot say null: apply it to see whether it is exact."""
    patch: Document = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
            continue
        before = old[key]
        if before is value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif not identical(before, value):
            patch[key] = value
    return patch


def json_patch(old: Document, new: Document) -> list[Document]:
    """The JSON Patch (RFC 6902) from one to the other: exact for every document."""
    return [_operation(change) for change in changes(old, new)]


def _operation(change: Change) -> Document:
    if change.new is UNSET:
        return {"op": "remove", "path": change.path}
    return {"op": "add" if change.old is UNSET else "replace", "path": change.path, "value": change.new}


def difference(old: Document, new: Document) -> bytes | None:
    """The payload of the Updated event that leads from one document to the other; None when nothing changed."""
    patch = merge_patch(old, new)
    exact = identical(merged(old, patch), new)
    if exact and not patch:
        return None
    payload = encode({"merge_patch": patch} if exact else {"json_patch": json_patch(old, new)})
    if len(payload) > ALWAYS_PATCH_BYTES:
        # Removing many members takes more bytes than what is left: a shrinking document must not hit the event limit.
        return min(payload, replacement(new), key=len)
    return payload


def replacement(new: Document) -> bytes:
    """The payload of the Updated event that leads to a document from any other."""
    return encode({"json_patch": [{"op": "replace", "path": "", "value": new}]})


def as_text(old: Document, new: Document) -> str:
    """The changes for people: a line each, `+ path: value`, `- path: value`, `~ path: before → after`."""
    return "".join(_line(change) for change in changes(old, new))


def _line(change: Change) -> str:
    # A key may have line ends, and what it says after them must not look like a change of its own.
    path = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in change.path)
    if change.old is UNSET:
        return f"+ {path}: {encode(change.new).decode()}\n"
    if change.new is UNSET:
        return f"- {path}: {encode(change.old).decode()}\n"
    return f"~ {path}: {encode(change.old).decode()} → {encode(change.new).decode()}\n"
