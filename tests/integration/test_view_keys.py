"""The database and Python agree about the order of values, for whatever a document may hold."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from crud_svc.documents.exact_json import encode, parse
from crud_svc.view.consumer import TABLES
from crud_svc.view.keys import MISSING, at, plain, searchable, sort_key

NUMBERS = st.one_of(
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["-0", "1e-400", "-1e-320", "0.10", "1E5", "1.7976931348623157e308"]),
)
LITERALS = st.one_of(
    st.sampled_from(["null", "true", "false", "{}", '{"x": 1}', "[]"]),
    NUMBERS.map(str),
    st.text(max_size=150).map(lambda text: encode(text).decode()),
)
VALUES = st.one_of(LITERALS, st.lists(LITERALS, max_size=3).map(lambda values: f"[{', '.join(values)}]"))
STATEMENT = """
SELECT sort_key(body::jsonb #> '{a\ufffd,b}') FROM unnest(%s::text[]) WITH ORDINALITY AS given (body, nr) ORDER BY nr"""


@pytest.fixture
def view(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA looked_at")
        connection.execute("SET search_path = looked_at")
        connection.execute(TABLES)
        yield connection


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=1, max_size=20))
def test_the_same_key_for_every_value(view: Connection, texts: list[str]) -> None:
    bodies = [f'{{"a\\u0000": {{"b": {text}}}}}' for text in texts]
    found = view.execute(STATEMENT, ([searchable(body) for body in bodies],)).fetchall()
    assert [key for (key,) in found] == [sort_key(plain(parse(text.encode()))) for text in texts]


def test_no_value_has_a_key_too(view: Connection) -> None:
    paths = [["a"], ["x"], ["a", "0"], ["a", "-1"], ["a", "2"], ["a", "x"], ["a", "0", "x"]]
    found = view.execute(
        """SELECT sort_key('{"a": [1, null]}'::jsonb #> string_to_array(path, ',')) FROM unnest(%s::text[]) AS path""",
        ([",".join(path) for path in paths],),
    ).fetchall()
    assert [key for (key,) in found] == [sort_key(at({"a": [1, None]}, tuple(path))) for path in paths]
    assert found[1] == (sort_key(MISSING),)


@pytest.mark.parametrize(
    "number",
    ["0e9999999999", "-0e5000000000", "0E+2147483647", "1e-400", f"0.{'0' * 400}1", f"0.{'0' * 300}1e-99"],
    ids=range(6),
)
def test_a_number_that_postgresql_does_not_have_is_searched_as_0(view: Connection, number: str) -> None:
    """Stored as it is, it would hold the view up for ever."""
    found = view.execute("SELECT sort_key(%s::jsonb #> '{a}')", (searchable(f'{{"a": {number}}}'),)).fetchall()
    assert found == [(sort_key(0),)]
