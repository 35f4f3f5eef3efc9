"""The event store against a plain model of it: whatever is appended, repeated and changed, both answer the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any, ClassVar
from uuid import UUID

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from eskit.errors import EskitError
from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.api.append_requests import Cause, parse_append
from eventstore_svc.store import EventStore, open_event_store
from tests.integration.eventstore_model import Answer, Model, Request

NO_CAUSE = Cause({}, None)


EXPECTATIONS = st.one_of(
    *[st.just({})] * 4,  # often, so that enough is stored
    st.builds(lambda e: {"expected": e}, st.sampled_from(["any", "none", "exists", 0, 1, 2, 3])),
    st.builds(lambda v: {"version": v}, st.integers(1, 4)),
    st.builds(
        lambda v, e: {"version": v, "expected": e},
        st.integers(1, 3),
        st.sampled_from(["any", "none", "exists", 0, 1, 2]),
    ),
)
EVENTS = st.tuples(st.integers(0, 2), EXPECTATIONS, st.integers(0, 2))
REQUESTS = st.lists(EVENTS, min_size=1, max_size=4)


class Comparison(RuleBasedStateMachine):
    """Sends everything to both. Streams and ids are new for each machine, the log goes on."""

    config: Settings
    runner: asyncio.Runner
    machines = 0
    answers: ClassVar[Counter[tuple[int, str]]] = Counter()  # of all machines, by status and code

    def __init__(self) -> None:
        super().__init__()
        Comparison.machines += 1
        self.number = self.machines
        self.sent: list[Request] = []
        self.stored: list[Request] = []
        self.stack = AsyncExitStack()
        self.store: EventStore = self.run(self.stack.enter_async_context(open_event_store(self.config, "model")))
        self.first = self.run(self.store.head()).position + 1
        self.model = Model(self.first - 1)

    def run(self, work: Any) -> Any:
        return self.runner.run(_await(work))

    def request(self, drawn: list[tuple[int, dict[str, Any], int]]) -> Request:
        """Events with streams and ids of this machine."""
        request: Request = []
        for stream, expectation, n in drawn:
            given = dict(expectation)
            originator = {"id": f"{self.number}-{stream}"} | (
                {"version": given.pop("version")} if "version" in given else {}
            )
            ident = str(UUID(int=(self.number << 64) + (len(self.sent) << 8) + len(request)))
            request.append(
                {"event_id": ident, "originator": originator, "event_type": "A.B", "payload": {"n": n}} | given
            )
        self.sent.append(request)
        return request

    def both(self, *requests: Request) -> None:
        """All at once to the store, in order to the model."""
        answers = self.run(_at_once(self.store, self.config, requests))
        self.answers.update((answer.status, answer.code) for answer in answers)
        self.stored += [request for request, answer in zip(requests, answers, strict=True) if answer.status == 201]
        assert answers == [self.model.append(request) for request in requests]

    @rule(drawn=REQUESTS)
    def append(self, drawn: Any) -> None:
        self.both(self.request(drawn))

    @rule(drawn=st.lists(REQUESTS, min_size=2, max_size=6), again=st.booleans())
    def at_once(self, drawn: Any, again: bool) -> None:
        """They share a commit, but for the repeats of what is not answered yet."""
        requests = [self.request(one) for one in drawn]
        self.both(*requests, *(requests[:2] if again else []))

    @precondition(lambda self: self.stored)
    @rule(data=st.data())
    def repeat(self, data: Any) -> None:
        """Whole, in part, in another order, with others, or changed."""
        request = data.draw(st.sampled_from(self.stored))
        other = data.draw(st.sampled_from(self.sent))
        start = data.draw(st.integers(0, len(request) - 1))
        self.both(request)
        self.both(request[start:])
        self.both(request[: start + 1])
        self.both(request[::-1])
        self.both(request + other)
        changed = request[start] | {"payload": {"n": 9}}
        self.both([*request[:start], changed, *request[start + 1 :]])

    @rule()
    def restart(self) -> None:
        self.run(self.stack.aclose())
        self.store = self.run(self.stack.enter_async_context(open_event_store(self.config, "model")))

    def teardown(self) -> None:
        try:
            self.same_log()
        finally:
            self.run(self.stack.aclose())

    def same_log(self) -> None:
        """What is in the log at the end."""
        events = []
        after = self.first
        while page := self.run(self.store.log(after, 1000, Selector())).events:
            events += [(e.event_id, e.originator_id, e.version, e.position, e.payload) for e in page]
            after = events[-1][3] + 1
        assert events == [
            (ident, row.event["originator"]["id"], row.version, row.position, f'{{"n":{row.event["payload"]["n"]}}}')
            for ident, row in self.model.rows.items()
        ]


async def _await(work: Any) -> Any:
    return await work


async def _at_once(store: EventStore, config: Settings, requests: tuple[Request, ...]) -> list[Answer]:
    return list(await asyncio.gather(*(_answer(store, config, request) for request in requests)))


async def _answer(store: EventStore, config: Settings, request: Request) -> Answer:
    try:
        appended = await store.append(parse_append(msgspec.json.encode({"events": request}), NO_CAUSE, config))
    except EskitError as error:
        return Answer(error.status, error.code, error.extra.get("actual"))
    places = [(e.event_id, e.version, e.position) for e in appended.events]
    return Answer(201 if appended.new else 200, "", places)


@pytest.mark.slow
def test_store_and_model_answer_the_same(config: Settings) -> None:
    """Versions, positions, conflicts, repeats and the log at the end, over restarts."""
    with asyncio.Runner() as runner:
        Comparison.config, Comparison.runner = config, runner
        bounded = hypothesis.settings(
            max_examples=60,
            stateful_step_count=25,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        run_state_machine_as_test(Comparison, settings=bounded)
    problems = {(409, "version-conflict"), (409, "event-id-reused"), (422, "invalid-request")}
    assert Comparison.answers.keys() == {(201, ""), (200, "")} | problems
    assert min(Comparison.answers.values()) > 100, Comparison.answers
