"""Names, selectors, times, ids: the small rules that everything else trusts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eskit import ids, names, times
from eskit.errors import InvalidRequest
from eskit.selectors import Selector


def test_event_type_is_split_at_the_last_dot() -> None:
    assert names.event_type("com.acme.User.Created") == ("com.acme.User", "Created")
    assert str(names.event_type("User.Created")) == "User.Created"


@pytest.mark.parametrize(
    ("selector", "wanted", "unwanted"),
    [
        ("*", ["User.Created", "a.b.C"], []),
        ("User.*", ["User.Created"], ["Users.Created", "com.User.Created"]),
        ("com.acme.User.*", ["com.acme.User.Created"], ["User.Created"]),
        ("User.Created", ["User.Created"], ["User.Deleted"]),
        ("*.Deleted", ["User.Deleted", "a.b.Deleted"], ["User.Created"]),
        ("User.Created, *.Deleted", ["User.Created", "X.Deleted"], ["User.Updated"]),
        ("User.Created,*", ["Anything.Else"], []),
        ("*.*", ["Anything.Else"], []),
    ],
)
def test_selectors(selector: str, wanted: list[str], unwanted: list[str]) -> None:
    matches = Selector(selector).matches
    assert [matches(*names.event_type(text)) for text in wanted] == [True] * len(wanted)
    assert [matches(*names.event_type(text)) for text in unwanted] == [False] * len(unwanted)


@pytest.mark.parametrize(
    "text", ["", "User", "User.", ".Created", "U ser.*", "a,,b", "User.*.*", ",".join(["A.B"] * 101)]
)
def test_bad_selectors_name_the_field(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Selector(text, "selector")
    assert caught.value.field == "selector"


@given(st.text())
def test_an_id_is_taken_or_refused_and_nothing_else(text: str) -> None:
    try:
        assert names.originator_id(text) == text
    except InvalidRequest as error:
        assert error.field == "originator.id"  # noqa: PT017 - either way is right; no third way is


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(moment: datetime) -> None:
    micros = times.micros(moment)
    assert times.moment(micros) == moment
    assert datetime.fromisoformat(times.rfc3339(micros)) == moment
    assert len(times.rfc3339(micros)) == len("2026-11-24T06:56:35.644376Z")


def test_other_time_zones_are_the_same_moment() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert times.micros(datetime(1970, 1, 1, 5, 30, tzinfo=east)) == 0


def test_uuid7_has_its_version_and_sorts_by_time() -> None:
    made = [ids.uuid7() for _ in range(1000)]
    assert {u.version for u in made} == {7}
    assert {u.variant for u in made} == {"specified in RFC 4122"}
    assert len(set(made)) == 1000
    stamps = [u.int >> 80 for u in made]
    assert stamps == sorted(stamps)


def test_idempotency_keys() -> None:
    assert ids.from_key("01a20c55-a729-71d9-8257-f701f7de4353") == UUID("01a20c55-a729-71d9-8257-f701f7de4353")
    assert ids.from_key("order 7") == ids.from_key("order 7") != ids.from_key("order 8")
