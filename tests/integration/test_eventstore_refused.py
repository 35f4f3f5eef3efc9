"""What the database refuses although it was checked: its append fails, and no other that shares the commit."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import psycopg
import pytest

from eskit.errors import EskitError, InvalidRequest, VersionConflict
from eskit.settings import Settings
from eventstore_svc.api import append_requests
from eventstore_svc.store import Appended, EventStore, NewEvent, open_event_store, reads
from tests.integration.appending import new_event
from tests.integration.eventstore_calls import GOOD, ID, Api

NOT_JSON, NO_OBJECT = b"{not json", b"[1]"
NDJSON = {"Content-Type": "application/x-ndjson"}

# A rule of the database that no program knows: what it raises is of no class that says bad data.
RULE = """
CREATE FUNCTION eventstore.rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a secret rule'; END $$;
CREATE TRIGGER rule BEFORE INSERT ON eventstore.events FOR EACH ROW WHEN (NEW.action = 'Unruly')
    EXECUTE FUNCTION eventstore.rule()
"""


async def settled(store: EventStore, *appends: list[NewEvent]) -> list[Appended | EskitError]:
    """Submitted at once, so that they share a commit."""
    return await store.settle([(events, store.submit(events)) for events in appends])


def places(outcomes: list[Appended | EskitError]) -> list[list[int] | str]:
    """Positions, or the code of the error."""
    return [[e.position for e in o.events] if isinstance(o, Appended) else o.code for o in outcomes]


@pytest.mark.parametrize("payload", [NOT_JSON, NO_OBJECT])
@pytest.mark.parametrize("guilty", [{0}, {9}, {3, 4}, set(range(10))])
async def test_only_the_guilty_append_fails(config: Settings, payload: bytes, guilty: set[int]) -> None:
    appends = [[new_event("s"), new_event(f"t{n}", payload=payload if n in guilty else b"{}")] for n in range(10)]
    async with open_event_store(config, "test") as store:
        outcomes = await settled(store, *appends)
        position = iter(range(1, 21))
        wanted = ["invalid-request" if n in guilty else [next(position), next(position)] for n in range(10)]
        assert places(outcomes) == wanted
        refused = [o for o in outcomes if isinstance(o, EskitError)]
        assert all(isinstance(error, InvalidRequest) and "SQLSTATE 22" in error.detail for error in refused)
        assert not any("append_batch" in error.detail or "json" in error.detail for error in refused)
        versions = [o.events[0].version for o in outcomes if isinstance(o, Appended)]
        assert versions == list(range(1, 11 - len(guilty)))
        assert (await store.append([new_event("s")])).events[0].version == len(versions) + 1


async def test_others_keep_their_own_outcomes(config: Settings) -> None:
    """Conflicts, repeats and what is atomic are the same beside a refused append as without it."""
    known = msgspec.structs.replace(new_event("known"), id_is_given=True)
    async with open_event_store(config, "test") as store:
        await store.append([known])
        bad = msgspec.structs.replace(new_event("bad", payload=NOT_JSON), at="events[1].")
        outcomes = await settled(
            store, [new_event("a", 1)], [known], [new_event("b"), bad], [new_event("a", 1)], [new_event("b", 1)]
        )
        assert places(outcomes) == [[2], [1], "invalid-request", "version-conflict", [3]]
        assert isinstance(outcomes[3], VersionConflict)
        assert (outcomes[3].field, outcomes[3].extra) == ("originator.version", {"expected": 0, "actual": 1})


async def test_what_is_not_the_datas_fault_is_ours_for_its_append_only(config: Settings) -> None:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute(RULE)
    async with open_event_store(config, "test") as store:
        outcomes = await settled(store, [new_event("a")], [new_event("b", kind="Thing.Unruly")], [new_event("c")])
        assert places(outcomes) == [[1], "internal", [2]]
        assert isinstance(outcomes[1], EskitError)
        assert "secret" not in outcomes[1].detail
        with pytest.raises(EskitError) as caught:
            await store.append([new_event("b", kind="Thing.Unruly")])
        assert caught.value.status == 500


async def test_what_cannot_even_be_sent_fails_alone(config: Settings) -> None:
    beyond = msgspec.structs.replace(new_event("b"), occurred_on_us=2**70)
    async with open_event_store(config, "test") as store:
        outcomes = await settled(store, [new_event("a")], [beyond], [new_event("c")])
        assert places(outcomes) == [[1], "internal", [2]]


async def test_an_answer_that_cannot_be_read_takes_no_other_with_it(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = msgspec.structs.replace(new_event("known"), id_is_given=True)

    async def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    async with open_event_store(config, "test") as store:
        await store.append([known])
        monkeypatch.setattr(reads, "appended", broken)
        assert places(await settled(store, [known], [new_event("a")])) == ["internal", [2]]


@pytest.mark.parametrize("as_lines", [False, True])
async def test_over_http_each_append_has_its_own_result(
    api: Api, monkeypatch: pytest.MonkeyPatch, *, as_lines: bool
) -> None:
    """The checks have two holes here: one thing gets through, and one makes them fail."""
    checked = append_requests._payload

    def with_holes(sent: Any, *more: Any) -> bytes:
        if b"hole" in bytes(sent):
            return NOT_JSON
        if b"failure" in bytes(sent):
            raise RuntimeError
        return checked(sent, *more)

    monkeypatch.setattr(append_requests, "_payload", with_holes)
    appends = [
        GOOD,
        GOOD | {"payload": {"a": "hole"}},
        {"events": [GOOD, GOOD | {"payload": {"a": "hole"}}]},
        GOOD | {"payload": {"a": "failure"}},
        GOOD | {"event_id": ID},
    ]
    if as_lines:
        body = b"".join(json.dumps(append).encode() + b"\n" for append in appends)
        async with api.session.post(f"{api.url}/v1/events/batch", data=body, headers=NDJSON) as response:
            results = [json.loads(line) for line in (await response.text()).splitlines()]
    else:
        _, answer, _ = await api.call("POST", "/v1/events/batch", json={"appends": appends})
        results = answer["results"]
    assert [result["status"] for result in results] == [201, 422, 422, 500, 201]
    assert [results[n]["problem"].get("field") for n in (1, 2)] == ["body", "events"]
    assert (await api.append(GOOD | {"payload": {"a": "hole"}}))[0] == 422
    assert (await api.get("/v1/log/head"))[1]["position"] == 2
