"""P1 when sessions break: what was told stays true, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import struct
from contextlib import AsyncExitStack

import msgspec
import psycopg
import pytest

from eskit.errors import OutcomeUnknown, Unavailable, VersionConflict
from eskit.settings import Settings
from eventstore_svc.store import NEXT_OF_EXISTING, Head, NewEvent, open_event_store
from infra.local.postgres import PostgresServer
from tests.integration.appending import new_event
from tests.proxy import proxied
from tests.services import config_for
from tests.stack import migrate, standing_still


def given(event: NewEvent) -> NewEvent:
    """The same event from a caller that chose the id itself."""
    return msgspec.structs.replace(event, id_is_given=True)


def stored(config: Settings) -> list[tuple[str, int]]:
    """Originator and version of each event, in log order."""
    with psycopg.connect(config.database_url, options="-c search_path=eventstore") as owner:
        return owner.execute("SELECT originator_id, version FROM events ORDER BY position").fetchall()


async def test_a_lost_answer_is_found_out(config: Settings) -> None:
    """The commit's answer is cut off: the batcher asks again on a new connection, and the append is stored once."""
    async with proxied(config.database_url) as (proxy, url), open_event_store(config_for(url), "test") as store:
        await store.append([new_event("first")])
        for number in range(50):
            proxy.cut_answer = 0
            appended = await store.append([new_event(f"n{number}"), new_event("shared")])
            assert [r.version for r in appended.events] == [1, number + 1]
    assert len(stored(config)) == 101


async def test_when_nobody_knows_the_ids_come_with_the_answer(config: Settings) -> None:
    """Neither the answer nor a new connection: outcome-unknown; the same events sent again are stored once."""
    async with proxied(config.database_url) as (proxy, url), open_event_store(config_for(url), "test") as store:
        await store.append([new_event("first")])
        proxy.cut_answer, proxy.refuse = 0, True
        event = new_event("second")
        with pytest.raises(OutcomeUnknown) as caught:
            await store.append([event])
        assert caught.value.extra["event_ids"] == [str(event.event_id)]
        proxy.refuse = False
        appended = await store.append([event])
        assert [r.version for r in appended.events] == [1]
    assert stored(config) == [("first", 1), ("second", 1)]


@pytest.mark.parametrize("code", ["08P01", "57P01", "58030", "XX000"])
async def test_a_session_that_ends_with_a_word_has_an_unknown_outcome_too(config: Settings, code: str) -> None:
    """A pooler that has lost the server, a server that stops or panics: it says FATAL, and the commit may be there."""
    fields = f"SFATAL\0VFATAL\0C{code}\0Mthe end\0\0".encode()
    async with proxied(config.database_url) as (proxy, url), open_event_store(config_for(url), "test") as store:
        await store.append([new_event("first")])
        proxy.last_word = b"E" + struct.pack(">i", len(fields) + 4) + fields
        proxy.cut_answer = 0
        assert not (await store.append([new_event("second")])).new  # asked again: it had been stored
        proxy.cut_answer, proxy.refuse = 0, True
        event = new_event("third")
        with pytest.raises(OutcomeUnknown):
            await store.append([event])
        proxy.refuse = False
        assert not (await store.append([given(event)])).new
    assert stored(config) == [("first", 1), ("second", 1), ("third", 1)]


async def test_what_was_told_unknown_is_not_stored_behind_its_retrys_back(config: Settings) -> None:
    """A held append, its caller told outcome-unknown; the retry is told 409; delivered late, it must not be stored."""
    async with (
        proxied(config.database_url) as (proxy, url),
        open_event_store(config_for(url), "behind") as behind,
        open_event_store(config, "direct") as direct,
    ):
        await behind.append([new_event("s")])
        event = given(new_event("t", NEXT_OF_EXISTING))
        proxy.hold_call = proxy.refuse = True
        with pytest.raises(OutcomeUnknown):
            await behind.append([event])
        proxy.refuse = False
        with pytest.raises(VersionConflict):
            await behind.append([event])
        await direct.append([new_event("t")])
        await proxy.deliver()
        await behind.append([new_event("u")])
    assert stored(config) == [("s", 1), ("t", 1), ("u", 1)]


async def test_what_a_broken_session_still_holds_is_not_stored_later(config: Settings) -> None:
    """An append is held back on the way, its caller is told 409; delivered late, it must not be stored after all."""
    async with (
        proxied(config.database_url) as (proxy, url),
        open_event_store(config_for(url), "behind") as behind,
        open_event_store(config, "direct") as direct,
    ):
        await behind.append([new_event("s", 1)])
        proxy.hold_call = True
        with pytest.raises(VersionConflict):
            await behind.append([new_event("s", 3)])
        await direct.append([new_event("s", 2)])
        await proxy.deliver()
        # Whatever that session does, it has done when another append has had the lock.
        await behind.append([new_event("t", 1)])
    assert stored(config) == [("s", 1), ("s", 2), ("t", 1)]


async def test_a_database_that_stands_still_is_given_up(private_postgres: PostgresServer) -> None:
    """No answer and no end of the connection: 503 within the deadline, for appends and reads, and an end at a stop."""
    migrate(private_postgres.url)
    config = config_for(private_postgres.url, statement_timeout_s=0.5, shutdown_s=1.0, pool_size=1)
    async with open_event_store(config, "eskit frozen") as store:
        await store.append([new_event("a")])
        await store.head()
        with standing_still(private_postgres.url, "eskit frozen"):
            calls = (store.append([new_event("b")]), store.head())
            append, head = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 30)
            # The session cannot be ended while it stands still, so nobody knows what it will do.
            assert isinstance(append, OutcomeUnknown)
            # A read is tried again on a new session, which the server may well have.
            assert isinstance(head, Head | Unavailable)


async def test_a_stop_does_not_wait_for_a_database_that_stands_still(private_postgres: PostgresServer) -> None:
    """The append in flight is answered outcome-unknown, the process can end."""
    migrate(private_postgres.url)
    config = config_for(private_postgres.url, shutdown_s=0.5)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_event_store(config, "eskit frozen"))
        await store.append([new_event("a")])
        with standing_still(private_postgres.url, "eskit frozen"):
            waiting = asyncio.create_task(store.append([new_event("b")]))
            await asyncio.sleep(0)
            await asyncio.wait_for(stack.aclose(), 15)
            with pytest.raises(OutcomeUnknown):
                await waiting
