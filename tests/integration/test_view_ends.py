"""Where the log ends in each partition of its topic: known to readers whatever the relay has published and trimmed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from eskit.kafka.murmur2 import partition
from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.relay.app import relay_app, work
from eventstore_svc.store import Ends, EventStore, open_event_store
from tests.integration.appending import load
from tests.integration.viewing import working
from tests.services import until

pytestmark = pytest.mark.real_kafka


@pytest.fixture
async def store(log_config: Settings) -> AsyncIterator[EventStore]:
    async with open_event_store(log_config, "test") as found:
        yield found


async def expected(store: EventStore, partitions: int = 6) -> Ends:
    """By all events."""
    last, first = [0] * partitions, 1
    while True:
        page = await store.log(first, 1000, Selector("*"))
        for event in page.events:
            last[partition(event.originator_id, partitions)] = event.position
        if page.next == first:
            return Ends(first - 1, tuple(last))
        first = page.next


async def trimmed(config: Settings) -> bool:
    text = f"SELECT count(*) FROM {config.schema('eventstore')}.outbox"
    async with await psycopg.AsyncConnection.connect(config.database_url) as connection:
        return await (await connection.execute(text.encode())).fetchone() == (0,)


async def test_they_are_known_as_soon_as_a_relay_has_begun_and_after_every_trim(
    log_config: Settings, store: EventStore
) -> None:
    assert await store.ends() == Ends(0, ())
    await load(store, 3, streams=3)
    assert await store.ends() == Ends(3, None), "no relay has said how many partitions there are"
    async with working(relay_app(log_config), log_config, "relay_port", work):

        async def known() -> bool:
            return (await store.ends()).last is not None

        await until(known)
        assert await store.ends() == await expected(store)
        for _ in range(5):
            await load(store, 100)
            assert await store.ends() == await expected(store), "also of what is on its way"
        await until(lambda: trimmed(log_config))
        assert await store.ends() == await expected(store)
    await load(store, 50)
    assert await store.ends() == await expected(store), "and of what nobody publishes"
    await load(store, 2500)
    assert (await store.ends()).last is None, "but not of a long backlog"
    async with working(relay_app(log_config), log_config, "relay_port", work):
        await until(lambda: trimmed(log_config))
        assert await store.ends() == await expected(store)


async def test_the_signing_key_is_the_same_for_all_and_other_logs_have_others(
    log_config: Settings, store: EventStore, config: Settings
) -> None:
    key = await store.signing_key()
    assert len(key) == 32
    async with open_event_store(log_config, "another") as other, open_event_store(config, "main") as main:
        assert await other.signing_key() == key
        assert await main.signing_key() != key
