"""JSON Patch (RFC 6902) from outside: applied operation by operation, within bounds of size, depth and number."""

from __future__ import annotations

from copy import copy
from typing import Any

import jsonpatch
from jsonpointer import EndOfList, JsonPointer, JsonPointerException

from crud_svc.documents.exact_json import MAX_DEPTH, depth, encode
from eskit.errors import InvalidRequest, PatchFailed, TooLarge

MAX_OPERATIONS = 1000
# [{"value": …}]: the levels of a patch around values of the document.
AROUND_VALUES = 2

_REFUSED = (jsonpatch.JsonPatchException, JsonPointerException)
_KINDS = {"add", "remove", "replace", "move", "copy", "test"}


def operations(patch: Any) -> list[dict[str, Any]]:
    """A client's JSON Patch; raises InvalidRequest that names the operation at fault, or for too many of them."""
    if isinstance(patch, list) and len(patch) > MAX_OPERATIONS:
        raise InvalidRequest(f"The JSON Patch has more than {MAX_OPERATIONS} operations", field="patch")
    return checked(patch)


def checked(patch: Any) -> list[dict[str, Any]]:
    """A JSON Patch of any length, its form checked; raises InvalidRequest."""
    if not isinstance(patch, list):
        raise InvalidRequest("The JSON Patch must be an array of operations", field="patch")
    for index, operation in enumerate(patch):
        if wrong := _wrong(operation):
            raise InvalidRequest(f"patch[{index}] {wrong}", field=f"patch[{index}]")
    return patch


def _wrong(operation: Any) -> str | None:
    if not isinstance(operation, dict):
        return "must be an object"
    kind = operation.get("op")
    if not isinstance(kind, str) or kind not in _KINDS:
        return f"needs an op: {', '.join(sorted(_KINDS))}"
    for name in ("path", "from") if kind in {"move", "copy"} else ("path",):
        if not isinstance(operation.get(name), str):
            return f"needs a {name}: a JSON pointer"
        try:
            JsonPointer(operation[name])
        except JsonPointerException as error:
            return f"has a {name} that is no JSON pointer: {error}"
    if kind in {"add", "replace", "test"} and "value" not in operation:
        return "needs a value"
    return None


def apply(document: dict[str, Any], patch: list[dict[str, Any]], most_bytes: int) -> Any:
    """A new document with the operations applied in order, all or none; `most_bytes` bounds what they handle together.

    What no operation touches is shared with the document, which stays as it is. Raises PatchFailed or TooLarge that
    names the operation.
    """
    result: Any = document
    own: set[int] = set()
    handled_bytes = 0
    for index, operation in enumerate(patch):
        at = f"patch[{index}]"
        try:
            handled_bytes += _handled_bytes(result, operation, at)
            if handled_bytes > most_bytes:
                message = f"{at}: the operations up to here add, copy and move more than {most_bytes} bytes"
                raise TooLarge(message, field=at, limit=most_bytes)
            for step in _steps(result, operation):
                if step["op"] != "test":
                    result = _opened(result, JsonPointer(step["path"]), own)
                result = jsonpatch.JsonPatch([step]).apply(result, in_place=True)
        except _REFUSED:
            raise PatchFailed(f"{at}: {_why(operation)}", field=at) from None
    return result


def _steps(document: Any, operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The operation; a move as the two that it is: after the first one the places of an array have new numbers."""
    if operation["op"] != "move":
        return [operation]
    source, path = JsonPointer(operation["from"]), JsonPointer(operation["path"])
    value = source.resolve(document)
    if isinstance(value, EndOfList) or (path != source and path.contains(source)):
        raise JsonPointerException("`-` names nothing that could be moved, and nothing moves into a part of itself")
    if path == source:
        return []
    return [{"op": "remove", "path": operation["from"]}, {"op": "add", "path": operation["path"], "value": value}]


def _opened(document: Any, pointer: JsonPointer, own: set[int]) -> Any:
    """The document with the objects and arrays above a place copied, so that it may be changed there.

    `own`: the ids of those that are copies already. One that was let go may give its id to another: but whatever comes
    into being while a patch is applied is a copy, and may be changed.
    """
    holder = [document]
    parent: Any = holder
    key: Any = 0
    for part in pointer.parts:
        child = parent[key]
        if not isinstance(child, dict | list):
            break
        if id(child) not in own:
            child = parent[key] = copy(child)
            own.add(id(child))
        try:
            key = JsonPointer.get_part(child, part)
            child[key]
        except (JsonPointerException, LookupError, TypeError):
            break  # there is no such place yet, or at all: that is for the operation to see
        parent = child
    return holder[0]


def _handled_bytes(document: Any, operation: dict[str, Any], at: str) -> int:
    """The size of what an operation puts somewhere; looked at before it happens: a copy can double a document.

    Raises PatchFailed where the document would become too deep.
    """
    kind = operation["op"]
    if kind in {"remove", "test"}:
        return 0
    value = operation["value"] if kind in {"add", "replace"} else JsonPointer(operation["from"]).resolve(document)
    if isinstance(value, EndOfList):
        return 0  # `-` names nothing that could be taken; the library refuses it
    text = encode(value)
    above = operation["path"].count("/")
    # Each level opens with a bracket: most values need no second look.
    if above + text.count(b"[") + text.count(b"{") > MAX_DEPTH and above + depth(value) > MAX_DEPTH:
        raise PatchFailed(f"{at}: the document would have more than {MAX_DEPTH} levels", field=at)
    return len(text)


def _why(operation: dict[str, Any]) -> str:
    # Not the library's words: they quote whole values.
    kind, path = operation["op"], operation["path"][:200]
    if kind == "test":
        return f"the test of {path!r} failed"
    if kind in {"move", "copy"}:
        return f"cannot {kind} {operation['from'][:200]!r} to {path!r}"
    return f"cannot {kind} at {path!r}: there is no such place"
