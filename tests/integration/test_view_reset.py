"""A reset reaches a view: what it knows of letters that the reset has left is known on."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import AsyncConnection

from eskit.consumer import Target
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.routes import Record
from eskit.consumer.transactions.effects import Inside
from eskit.consumer.transactions.target import open_view
from eskit.kafka import record
from eskit.offsets import Claim
from eskit.testing import Log
from tests.integration.consuming import stored
from tests.services import config_for


async def test_a_letter_below_a_reset_that_has_had_its_effect_does_not_have_it_again(database_url: str) -> None:
    """It had its effect, the process ended before it said so, and somebody has set the consumer forward since."""
    log = Log(1)
    log.publish(stored(1))
    message = log.partitions[0][0]
    event = record.decode(message.value())
    effects: list[int] = []

    async def handle(given: Record, connection: AsyncConnection[Any]) -> None:
        del connection
        effects.append(given.offset)

    async with open_view(Target("ledger", database_url), config_for(database_url), "ledger") as view:
        await view.prepare([])
        for claim in (Claim(0, 1, None, None), Claim(0, 3, 50, None, 2), Claim(0, 5, 0, None, 4)):
            progress = Progress("log", await view.begin(claim))
            progress.done(max(progress.next_offset or 0, 10), 0)
            letter = Item(message, 3, 1, Record(event, 0, 3), (handle,))
            await Inside(view, progress, batches=False).redo(letter)
    # The last reset was to the beginning: there the record comes again, and what was known of it is forgotten.
    assert effects == [3, 3]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT next_offset FROM ledger.eskit_progress").fetchall() == [(11,)]
