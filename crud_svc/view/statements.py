"""The statements of lists: fixed pieces, put together; whatever a client sends is a parameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, LiteralString

from psycopg import sql
from psycopg.sql import SQL, Composable, Composed

from crud_svc.documents.exact_json import encode
from crud_svc.view.cursors import Place
from crud_svc.view.fields import Field
from crud_svc.view.filters import Condition
from crud_svc.view.indexes import KEY
from crud_svc.view.keys import ABSENT, KEY_CHARS, NUMBERS, STRINGS, Scalar, after_all, sort_key
from crud_svc.view.listing import Listing

# The outer order only keeps what the inner one has made.
PAGE: LiteralString = """
WITH progress AS (
    SELECT coalesce(json_object_agg(partition, coalesce(position, 0)), '{{}}') AS reached
      FROM eskit_progress WHERE consumer = %(consumer)s AND topic = %(topic)s
), page AS (
    SELECT id, version, position, (extract(epoch FROM created_at) * 1000000)::bigint AS created_us,
           (extract(epoch FROM modified_at) * 1000000)::bigint AS modified_us, deleted_at,
           CASE WHEN %(with_body)s THEN body END AS body, ARRAY[{keys}]::text[] AS keys, row_number() OVER () AS nr
      FROM (SELECT * FROM entities WHERE {wanted} ORDER BY {order} LIMIT %(limit)s) AS found
)
SELECT progress.reached, page.id, page.version, page.position, page.created_us, page.modified_us, page.deleted_at,
       page.body, page.keys
  FROM progress LEFT JOIN page ON true
 ORDER BY page.nr"""

COUNT: LiteralString = "SELECT count(*) FROM (SELECT FROM entities WHERE {wanted} LIMIT %(most)s) AS found"
EXPLAIN: LiteralString = "EXPLAIN (FORMAT JSON) SELECT FROM entities WHERE {wanted}"

_OPERATORS = {"gt": SQL(">"), "gte": SQL(">="), "lt": SQL("<"), "lte": SQL("<=")}


class Parts:
    """Pieces of one statement, and the parameters they have got."""

    def __init__(self, **values: Any) -> None:
        """`values`: parameters that the statement has beside."""
        self.values = values
        self._numbers = count()

    def value(self, given: Any) -> Composable:
        """A parameter's place."""
        name = f"p{next(self._numbers)}"
        self.values[name] = given
        return sql.Placeholder(name)

    def key(self, field: Field) -> Composable:
        """What an index has of a field."""
        return SQL(KEY).format(self.value(list(field.steps)))

    def search(self, field: Field) -> Composable:
        """A field as jsonb."""
        return SQL("(search #> {}::text[])").format(self.value(list(field.steps)))

    def text(self, field: Field) -> Composable:
        """A field as text."""
        return SQL('((search #>> {}::text[]) COLLATE "C")').format(self.value(list(field.steps)))

    def json(self, value: Scalar) -> Composable:
        """A value as jsonb."""
        return SQL("{}::jsonb").format(self.value(encode(value).decode()))

    def wanted(self, listing: Listing, conditions: Iterable[Condition]) -> Composed:
        """Which entities: of the type, there (or deleted), and what meets these conditions."""
        pieces: list[Composable] = [SQL("entity_type = {}").format(self.value(listing.entity_type))]
        if not listing.deleted:
            pieces.append(SQL("deleted_at = 0"))
        for condition in conditions:
            pieces += self.condition(condition)
        return SQL(" AND ").join(pieces)

    def condition(self, one: Condition) -> Iterator[Composable]:
        """First what an index can find by its short keys, then what is exact."""
        match one.op:
            case "exists":
                sign = SQL(">" if one.values[0] else "=")
                yield SQL("{} {} {}").format(self.key(one.field), sign, self.value(ABSENT))
            case "eq":
                yield SQL("{} = {}").format(self.key(one.field), self.value(sort_key(one.values[0])))
                yield SQL("{} = {}").format(self.search(one.field), self.json(one.values[0]))
            case "in":
                keys = [sort_key(value) for value in one.values]
                texts = [encode(value).decode() for value in one.values]
                yield SQL("{} = ANY({}::text[])").format(self.key(one.field), self.value(keys))
                yield SQL("{} = ANY({}::jsonb[])").format(self.search(one.field), self.value(texts))
            case "prefix":
                prefix = str(one.values[0])
                start = STRINGS + prefix[:KEY_CHARS]
                yield from self.between(one.field, start, after_all(start))
                yield SQL("starts_with({}, {}::text)").format(self.text(one.field), self.value(prefix))
            case _:
                yield from self.compared(one)

    def compared(self, one: Condition) -> Iterator[Composable]:
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
            yield SQL("{} {} {}::text").format(self.text(one.field), _OPERATORS[one.op], self.value(bound))
        else:
            yield SQL("{} {} {}").format(self.search(one.field), _OPERATORS[one.op], self.json(bound))

    def between(self, field: Field, first: str, behind: str) -> Iterator[Composable]:
        """Keys from one to another, which is not among them."""
        yield SQL("{} >= {}").format(self.key(field), self.value(first))
        yield SQL("{} < {}").format(self.key(field), self.value(behind))

    def after(self, listing: Listing, place: Place) -> Composable:
        """What comes behind a place in the order."""
        columns: list[Composable] = [*(self.key(key.field) for key in listing.sort), SQL("id")]
        values = [*place.keys, place.id]
        descending = listing.descending
        signs = [SQL("<") if down else SQL(">") for down in descending]
        if len(set(descending)) == 1:
            # One comparison of rows: an index that has the order begins right there.
            return SQL("({}) {} ({})").format(SQL(", ").join(columns), signs[0],
                                              SQL(", ").join(self.value(value) for value in values))  # fmt: skip
        choices = [
            SQL(" AND ").join(
                [
                    *(SQL("{} = {}").format(columns[n], self.value(values[n])) for n in range(last)),
                    SQL("{} {} {}").format(columns[last], signs[last], self.value(values[last])),
                ]
            )
            for last in range(len(columns))
        ]
        # The same is said of the first key once more, for the index.
        bound = SQL("{} {}= {}").format(columns[0], signs[0], self.value(values[0]))
        return SQL("({} AND (({})))").format(bound, SQL(") OR (").join(choices))


def page(listing: Listing, place: Place | None, *, limit: int, with_body: bool) -> tuple[Composed, dict[str, Any]]:
    """The statement of a page that begins behind a place; its parameters, but for `consumer` and `topic`."""
    parts = Parts(limit=limit, with_body=with_body)
    wanted = parts.wanted(listing, listing.conditions)
    if place is not None:
        wanted = SQL(" AND ").join([wanted, parts.after(listing, place)])
    directions = [SQL("DESC") if down else SQL("ASC") for down in listing.descending]
    columns: Sequence[Composable] = [*(parts.key(key.field) for key in listing.sort), SQL("id")]
    order = SQL(", ").join(SQL("{} {}").format(*pair) for pair in zip(columns, directions, strict=True))
    keys = SQL(", ").join(parts.key(key.field) for key in listing.sort)
    return SQL(PAGE).format(keys=keys, wanted=wanted, order=order), parts.values


def counted(listing: Listing, conditions: Iterable[Condition], most: int) -> tuple[Composed, dict[str, Any]]:
    """The statement that counts what meets these conditions, up to a number."""
    parts = Parts(most=most)
    return SQL(COUNT).format(wanted=parts.wanted(listing, conditions)), parts.values


def estimated(listing: Listing) -> tuple[Composed, dict[str, Any]]:
    """The statement whose plan says about how many entities there are."""
    parts = Parts()
    return SQL(EXPLAIN).format(wanted=parts.wanted(listing, listing.conditions)), parts.values
