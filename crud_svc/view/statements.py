"""The statements of lists: fixed pieces, put together; whatever a client sends is a parameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, LiteralString, NamedTuple

from crud_svc.documents.exact_json import encode
from crud_svc.view.cursors import Place
from crud_svc.view.fields import Field
from crud_svc.view.filters import Condition
from crud_svc.view.indexes import KEY
from crud_svc.view.keys import ABSENT, KEY_CHARS, NUMBERS, STRINGS, Scalar, after_all, sort_key
from crud_svc.view.listing import MOST_BYTES, Listing
from eskit.postgres.statements import statement

PAGE = statement("crud_svc.view", "page")
COUNT: LiteralString = "SELECT count(*) FROM (SELECT FROM entities WHERE {wanted} LIMIT %(most)s) AS found"
EXPLAIN: LiteralString = "EXPLAIN (FORMAT JSON) SELECT FROM entities WHERE {wanted}"

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Query(NamedTuple):
    """A statement and its parameters."""

    text: str
    values: dict[str, Any]


class Parts:
    """Pieces of one statement, and the parameters they have got. The pieces are ours: they hold names of parameters."""

    def __init__(self, **values: Any) -> None:
        """`values`: parameters that the statement has beside."""
        self.values = values

    def value(self, given: Any) -> str:
        """The place of a parameter."""
        name = f"p{len(self.values)}"
        self.values[name] = given
        return f"%({name})s"

    def key(self, field: Field) -> str:
        """What an index has of a field."""
        return KEY.format(self.value(field.array))

    def search(self, field: Field) -> str:
        """A field as jsonb."""
        return f"(search #> {self.value(field.array)}::text[])"

    def text(self, field: Field) -> str:
        """A field as text."""
        return f'((search #>> {self.value(field.array)}::text[]) COLLATE "C")'

    def json(self, value: Scalar) -> str:
        """A value as jsonb."""
        return f"{self.value(encode(value).decode())}::jsonb"

    def wanted(self, listing: Listing, conditions: Iterable[Condition]) -> str:
        """Which entities: of the type, there (or deleted), and what meets these conditions."""
        pieces = [f"entity_type = {self.value(listing.entity_type)}"]
        if not listing.deleted:
            pieces.append("deleted_at = 0")
        for condition in conditions:
            pieces += self.condition(condition)
        return " AND ".join(pieces)

    def condition(self, one: Condition) -> Iterator[str]:
        """First what an index can find by its short keys, then what is exact."""
        match one.op:
            case "exists":
                yield f"{self.key(one.field)} {'>' if one.values[0] else '='} {self.value(ABSENT)}"
            case "eq":
                yield f"{self.key(one.field)} = {self.value(sort_key(one.values[0]))}"
                yield f"{self.search(one.field)} = {self.json(one.values[0])}"
            case "in":
                keys = [sort_key(value) for value in one.values]
                texts = [encode(value).decode() for value in one.values]
                yield f"{self.key(one.field)} = ANY({self.value(keys)}::text[])"
                yield f"{self.search(one.field)} = ANY({self.value(texts)}::jsonb[])"
            case "prefix":
                prefix = str(one.values[0])
                start = STRINGS + prefix[:KEY_CHARS]
                yield from self.between(one.field, start, after_all(start))
                yield f"starts_with({self.text(one.field)}, {self.value(prefix)}::text)"
            case _:
                yield from self.compared(one)

    def compared(self, one: Condition) -> Iterator[str]:
        """gt, gte, lt, lte: of values of the same type."""
        bound = one.values[0]
        first = STRINGS if isinstance(bound, str) else NUMBERS
        key = sort_key(bound)
        if one.op in {"gt", "gte"}:
            yield from self.between(one.field, key, after_all(first))
        else:
            # The key of a long string is that of all that begin so.
            yield from self.between(one.field, first, after_all(key))
        if isinstance(bound, str):
            yield f"{self.text(one.field)} {_OPERATORS[one.op]} {self.value(bound)}::text"
        else:
            yield f"{self.search(one.field)} {_OPERATORS[one.op]} {self.json(bound)}"

    def between(self, field: Field, first: str, behind: str) -> Iterator[str]:
        """Keys from one to another, which is not among them."""
        yield f"{self.key(field)} >= {self.value(first)}"
        yield f"{self.key(field)} < {self.value(behind)}"

    def after(self, listing: Listing, place: Place) -> str:
        """What comes behind a place in the order."""
        columns = [*(self.key(key.field) for key in listing.sort), "id"]
        values = [self.value(value) for value in (*place.keys, place.id)]
        signs = ["<" if down else ">" for down in listing.descending]
        if len(set(signs)) == 1:
            # One comparison of rows: an index that has the order begins right there.
            return f"({', '.join(columns)}) {signs[0]} ({', '.join(values)})"
        choices = []
        for last in range(len(columns)):
            same = [f"{columns[n]} = {values[n]}" for n in range(last)]
            choices.append(" AND ".join([*same, f"{columns[last]} {signs[last]} {values[last]}"]))
        # The same is said of the first key once more, for the index.
        return f"({columns[0]} {signs[0]}= {values[0]} AND (({') OR ('.join(choices)})))"


def page(listing: Listing, place: Place | None, *, limit: int, with_body: bool) -> Query:
    """The statement of a page that begins behind a place; its parameters, but for `consumer` and `topic`."""
    parts = Parts(limit=limit, with_body=with_body, most_bytes=MOST_BYTES)
    wanted = parts.wanted(listing, listing.conditions)
    if place is not None:
        wanted = f"{wanted} AND {parts.after(listing, place)}"
    columns = [parts.key(key.field) for key in listing.sort]
    directions = [" DESC" if down else "" for down in listing.descending]
    order = ", ".join(column + way for column, way in zip([*columns, "id"], directions, strict=True))
    return Query(PAGE.format(keys=", ".join(columns), wanted=wanted, order=order), parts.values)


def counted(listing: Listing, conditions: Iterable[Condition], most: int) -> Query:
    """The statement that counts what meets these conditions, up to a number."""
    parts = Parts(most=most)
    return Query(COUNT.format(wanted=parts.wanted(listing, conditions)), parts.values)


def estimated(listing: Listing) -> Query:
    """The statement whose plan says about how many entities there are."""
    parts = Parts()
    return Query(EXPLAIN.format(wanted=parts.wanted(listing, listing.conditions)), parts.values)
