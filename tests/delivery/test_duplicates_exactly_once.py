"""What the topic has twice has one effect in a view, also when its first record was set aside."""

from __future__ import annotations

import pytest

from tests.delivery.bench import Bench, committed, set_aside
from tests.delivery.ledger import HANDLERS, Ledger
from tests.services import until


@pytest.mark.parametrize("handlers", HANDLERS)
@pytest.mark.parametrize("first_drained", [True, False])
async def test_a_repetition_of_what_was_set_aside_is_dropped_after_a_restart(
    bench: Bench, handlers: str, first_drained: bool
) -> None:
    ledger = Ledger(bench, handlers)
    ledger.poison = {100}
    bench.add(range(1, 101))
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
        if first_drained:
            ledger.poison = set()
            await bench.retry("ledger")
            await set_aside(bench, "ledger", lambda kept: not kept)
        else:
            await until(lambda: ledger.consumer.stats.parked + ledger.consumer.stats.dead_lettered)
            bench.add(range(1101, 7101), action="Ignored")  # worth a transaction of its own
            await committed(bench, "ledger")
    again = Ledger(bench, handlers)
    async with bench.running(again.consumer):
        bench.add(range(100, 101))
        bench.add(range(8001, 8101))
        await committed(bench, "ledger")
        await bench.retry("ledger")
        await set_aside(bench, "ledger", lambda kept: not kept)
        await until(lambda: len(again.positions()) >= 200)
    assert again.positions() == [*range(1, 101), *range(8001, 8101)]
