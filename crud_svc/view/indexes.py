"""Declared indexes: events say which are wanted, so they outlive any view; what that makes of a type. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, LiteralString, NamedTuple

import msgspec
from msgspec import Meta
from psycopg import sql

from crud_svc.view.fields import SortKey, sort_key
from eskit.errors import EskitError
from eskit.events import Stored

# The declarations of a type's indexes are the stream of this type with the type's name as id.
DECLARATIONS = "eskit.Index"
DECLARED, DROPPED = "Declared", "Dropped"

MAX_FIELDS = 4
MAX_INDEXES = 10

RELATION_PREFIX = "entities_by_"
KEY: LiteralString = 'sort_key(search #> {}::text[]) COLLATE "C"'

Name = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
FieldText = Annotated[str, Meta(min_length=1, max_length=201)]


class Index(NamedTuple):
    """An index on fields of the documents of a type."""

    fields: tuple[SortKey, ...]

    @property
    def name(self) -> str:
        """The same for the same fields."""
        return hashlib.sha256(msgspec.json.encode(self.texts)).hexdigest()[:16]

    @property
    def texts(self) -> list[str]:
        """As they are written: JSON pointers, with `-` where the greatest comes first."""
        return [str(one) for one in self.fields]

    def relation(self, entity_type: str) -> str:
        """What PostgreSQL calls it."""
        return RELATION_PREFIX + hashlib.sha256(f"{entity_type} {self.name}".encode()).hexdigest()[:24]


class Declaration(msgspec.Struct, forbid_unknown_fields=True):
    """The payload of both events, and the body of a request."""

    fields: Annotated[
        list[FieldText],
        Meta(
            min_length=1,
            max_length=MAX_FIELDS,
            description="Dotted names or JSON pointers; `-` before one where the greatest comes first.",
        ),
    ]


_decoder = msgspec.json.Decoder(Declaration)


def index_of(texts: Iterable[str], parameter: str = "fields") -> Index:
    """An index on fields as they are written; raises InvalidRequest."""
    return Index(tuple(sort_key(text, f"{parameter}[{nr}]") for nr, text in enumerate(texts)))


def change(action: str, payload: bytes) -> Index | None:
    """The index that such an event declares or drops; None for an event that others have put there."""
    if action not in {DECLARED, DROPPED}:
        return None
    try:
        return index_of(_decoder.decode(payload).fields)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, EskitError):
        return None


def declared(events: Iterable[Stored]) -> dict[str, Index]:
    """What a stream of declarations comes to, by name."""
    found: dict[str, Index] = {}
    for event in events:
        index = change(event.action, event.payload.encode())
        if index is None:
            continue
        if event.action == DECLARED:
            found[index.name] = index
        else:
            found.pop(index.name, None)
    return found


def create(entity_type: str, fields: Iterable[str], relation: str, *, concurrently: bool) -> sql.Composed:
    """The statement that builds one. The id comes last, in the direction of the last field, as in lists."""
    index = index_of(fields)
    columns = [
        sql.SQL("({}) {}").format(
            sql.SQL(KEY).format(sql.Literal(one.field.array)), sql.SQL("DESC" if one.descending else "ASC")
        )
        for one in index.fields
    ]
    last = sql.SQL("id DESC" if index.fields[-1].descending else "id ASC")
    return sql.SQL(
        "CREATE INDEX {} {} ON entities ({}) WHERE entity_type = {} AND deleted_at = 0"
    ).format(
        sql.SQL("CONCURRENTLY" if concurrently else ""),
        sql.Identifier(relation),
        sql.SQL(", ").join([*columns, last]),
        sql.Literal(entity_type),
    )  # fmt: skip


def drop(relation: str) -> sql.Composed:
    """The statement that removes one."""
    return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(relation))
