"""The cursor of a list: where its next page begins, signed, and good for no other query. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

from eskit.errors import InvalidRequest

MAX_CHARS = 4000
_MAC_BYTES = 16


class Place(msgspec.Struct, frozen=True, array_like=True):
    """The last entity of a page: the keys it is sorted by, and its id."""

    keys: tuple[str, ...]
    id: str


class _Content(msgspec.Struct, frozen=True, array_like=True):
    query: bytes
    place: Place


_decoder = msgspec.msgpack.Decoder(_Content)


def digest(*query: Any) -> bytes:
    """What a cursor is bound to: everything that decides which entities are listed, and in which order."""
    return hashlib.sha256(msgspec.json.encode(query)).digest()[:16]


def seal(key: bytes, query: bytes, place: Place) -> str:
    """A cursor as it is handed out."""
    content = msgspec.msgpack.encode(_Content(query, place))
    return base64.urlsafe_b64encode(content + _mac(key, content)).decode().rstrip("=")


def unseal(key: bytes, query: bytes, cursor: str) -> Place:
    """The place; raises InvalidRequest for a cursor that was not made here, or for another query."""
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        sealed = b""
    content, mac = sealed[:-_MAC_BYTES], sealed[-_MAC_BYTES:]
    if not content or not hmac.compare_digest(mac, _mac(key, content)):
        raise InvalidRequest("cursor must be the `next` of a page, unchanged", field="cursor")
    found = _decoder.decode(content)
    if found.query != query:
        message = "cursor belongs to another query: type, filters, sort, deleted and position must stay as they were"
        raise InvalidRequest(message, field="cursor")
    return found.place


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, b"eskit list cursor" + content, "sha256")[:_MAC_BYTES]
