"""One partition against a plain model: claims, commits, releases, resets in any order are answered as it says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from eskit.errors import ConsumerActive, EskitError, Fenced, OffsetMismatch, OffsetRegression
from eskit.offsets import Commit, Committed, Release
from eskit.settings import Settings
from offsets_svc.store import claims, resets
from offsets_svc.store.commits import Committer
from offsets_svc.store.database import Database, open_database
from offsets_svc.store.resets import Hand, Target

SMALL = st.integers(0, 4)
NUMBERS = itertools.count()


class Do(NamedTuple):
    """A step; `which` picks one of the epochs given out so far, `lag` of them back."""

    kind: str
    offset: int = 0
    position: int | None = None
    back: int | None = None
    expected: Any = UNSET


BACK = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.just(Do("claim")),
        BACK.map(lambda back: Do("release", back=back)),
        st.tuples(st.sampled_from(["reset", "force"]), SMALL).map(lambda drawn: Do(*drawn)),
        st.tuples(
            st.just("commit"), SMALL, st.none() | SMALL, st.none() | BACK, st.just(UNSET) | st.none() | SMALL
        ).map(lambda drawn: Do(*drawn)),
    ),
    max_size=14,
)


class Model:
    """How a partition stands."""

    def __init__(self) -> None:
        self.known = False
        self.epoch = 0
        self.offset: int | None = None
        self.position: int | None = None
        self.held = False

    def commit(self, do: Do, epoch: int) -> type[EskitError] | None:
        """What becomes of a commit with this epoch (0: none)."""
        if self.known and epoch != self.epoch:
            return Fenced
        if not self.known and epoch:
            return Fenced
        if do.expected is not UNSET and do.expected != self.offset:
            return OffsetMismatch
        if self.offset is not None and do.offset < self.offset:
            return OffsetRegression
        if do.position is not None and self.position is not None and do.position < self.position:
            return OffsetRegression
        self.known, self.offset = True, do.offset
        self.position = self.position if do.position is None else do.position
        return None


class Bench:
    """An event loop with the store open in it."""

    def __init__(self, config: Settings) -> None:
        self.runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.database: Database = self.runner.run(self._stack.enter_async_context(open_database(config, "test")))
        self.commits = Committer(self.database)

    def close(self) -> None:
        self.runner.run(self._stack.aclose())
        self.runner.close()


@pytest.fixture
def bench(config: Settings) -> Iterator[Bench]:
    opened = Bench(config)
    yield opened
    opened.close()


def test_the_service_and_the_model_answer_the_same(bench: Bench) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def check(steps: list[Do]) -> None:
        bench.runner.run(walk(bench, f"c{next(NUMBERS)}", steps))

    check()


async def walk(bench: Bench, consumer: str, steps: list[Do]) -> None:
    """Take the steps, and hold every answer against the model."""
    model, epochs = Model(), [0]
    for do in steps:
        epoch = 0 if do.back is None else epochs[max(0, len(epochs) - 1 - do.back)]
        if do.kind == "claim":
            [claimed] = await claims.claim(bench.database, consumer, "t", [0], "m", None)
            assert claimed.epoch > max(epochs)
            assert (claimed.offset, claimed.position) == (model.offset, model.position)
            model.known, model.held, model.epoch = True, True, claimed.epoch
            epochs.append(claimed.epoch)
        elif do.kind == "release":
            ours = model.held and epoch == model.epoch
            assert await claims.release(bench.database, consumer, "t", [Release(0, epoch)]) == ours
            model.held = model.held and not ours
        elif do.kind == "commit":
            await commit(bench, consumer, do, model, epoch)
        elif model.known:
            await reset(bench, consumer, do, model, epochs)


async def commit(bench: Bench, consumer: str, do: Do, model: Model, epoch: int) -> None:
    wanted = Commit("t", 0, do.offset, do.position, epoch or None, expected=do.expected)
    refused = model.commit(do, epoch)
    [outcome] = await bench.commits.commit(consumer, [wanted])
    if refused is None:
        assert outcome == Committed("t", 0, model.offset, model.position, model.epoch)
    else:
        assert type(outcome) is refused


async def reset(bench: Bench, consumer: str, do: Do, model: Model, epochs: list[int]) -> None:
    forced = do.kind == "force"
    target = Target("t", {0: do.offset}, None, None, "given offsets")
    if model.held and not forced:
        with pytest.raises(ConsumerActive):
            await resets.reset(bench.database, consumer, target, Hand())
        return
    [done] = (await resets.reset(bench.database, consumer, target, Hand(force=forced))).partitions
    assert done.epoch > max(epochs)
    model.held, model.epoch, model.offset, model.position = False, done.epoch, do.offset, None
    epochs.append(done.epoch)
