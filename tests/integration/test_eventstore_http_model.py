"""The event store's REST interface against a plain model of it, over restarts, kills and lost database sessions."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import aiohttp
import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from eskit.settings import Settings
from tests.integration.eventstore_interrupted import Interrupted
from tests.integration.eventstore_model import Answer, Model, Request
from tests.integration.eventstore_reading import Reading
from tests.integration.eventstore_reads_model import Reference
from tests.integration.test_eventstore_model import EXPECTATIONS
from tests.services import processes

MORE = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.sampled_from([{}, {"user": "ü"}, {"correlation_id": "c"}, {"user": "a", "correlation_id": "d"}]),
        "occurred_on": st.sampled_from(["2020-02-29T12:00:00Z", "2021-06-01T00:30:00.123456+05:30"]),
    },
)
Drawn = tuple[tuple[int, int], dict[str, Any], str, int, dict[str, Any]]
STREAMS = st.tuples(st.integers(0, 1), st.integers(0, 2))  # of each of two types three
ACTIONS = st.sampled_from(["Created", "Paid"])
EVENTS = st.tuples(STREAMS, EXPECTATIONS, ACTIONS, st.integers(0, 2), MORE)
ANYWAY: st.SearchStrategy[Drawn] = st.tuples(STREAMS, st.just({}), ACTIONS, st.integers(0, 2), MORE)
REQUESTS = st.lists(EVENTS, min_size=1, max_size=4)
HOW = st.sampled_from(["sessions"] * 20 + ["kill", "stop"])  # a start takes a second
ANSWER_S = 40  # more than the service's own longest wait for its database
CHANGES: list[dict[str, Any]] = [
    {"payload": {"n": 9}},
    {"metadata": {"user": "other"}},
    {"metadata": {"user": "ü", "correlation_id": "other"}},
    {"occurred_on": "2020-02-29T13:00:00+01:00"},
    {"occurred_on": "2020-02-29T12:00:00.000001Z"},
]


class HttpComparison(Reading):
    """Sends everything to both. Types and ids are new for each machine; the service and the log go on."""

    service: Interrupted
    machines = 0

    def __init__(self) -> None:
        super().__init__()
        HttpComparison.machines += 1
        self.number = self.machines
        self.types = [f"T{self.number}", f"com.acme.T{self.number}"]
        self.sent: list[Request] = []
        self.stored: list[Request] = []
        self.first = self.run(self.service.api.get("/v1/log/head"))[1]["position"] + 1
        self.api, self.model = self.service.api, Model(self.first - 1)
        self.reference = Reference(self.model)

    def request(self, drawn: Any) -> Request:
        """Events with types, streams and ids of this machine."""
        request: Request = []
        for (kind, stream), expectation, action, n, more in drawn:
            given = dict(expectation)
            version = {"version": given.pop("version")} if "version" in given else {}
            event = {
                "event_id": str(UUID(int=(self.number << 64) + (len(self.sent) << 8) + len(request))),
                "originator": {"id": f"s{stream}"} | version,
                "event_type": f"{self.types[kind]}.{action}",
                "payload": {"n": n},
            }
            request.append(event | given | more)
        self.sent.append(request)
        return request

    def compare(self, requests: list[Request], answers: list[Answer], *, lost: bool = False) -> None:
        """As if sent one after the other. Where a first answer may have been lost, the second one is as good."""
        for request, found in zip(requests, answers, strict=True):
            wanted = self.model.append(request)
            fresh = wanted.status == 201
            if fresh and lost and found.status == 200:
                wanted = wanted._replace(status=200)
            assert found == wanted, request
            self.seen[found.status, found.code] += 1
            if fresh and request not in self.stored:
                self.stored.append(request)

    def one(self, request: Request) -> None:
        self.compare([request], [self.run(self.service.append(request))])

    @rule(drawn=REQUESTS)
    def append(self, drawn: Any) -> None:
        self.one(self.request(drawn))

    @rule(drawn=st.lists(REQUESTS, min_size=1, max_size=6), again=st.booleans(), as_lines=st.booleans())
    def batch(self, drawn: Any, again: bool, as_lines: bool) -> None:
        """Perhaps with repeats of what is not answered yet, and of what was stored before."""
        requests = [self.request(one) for one in drawn]
        requests += [*requests[:2], *self.stored[-2:]] if again else []
        self.compare(requests, self.run(self.service.batch(requests, lines=as_lines)))
        self.seen["lines" if as_lines else "json"] += 1

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), change=st.sampled_from(CHANGES), at_once=st.booleans())
    def repeat(self, data: Any, change: dict[str, Any], at_once: bool) -> None:
        """Whole, in part, in another order, with others, or changed; one by one, or in one batch."""
        request = data.draw(st.sampled_from(self.stored))
        other = data.draw(st.sampled_from(self.sent))
        at = data.draw(st.integers(0, 3)) % len(request)
        changed = [*request[:at], request[at] | change, *request[at + 1 :]]
        repeats = [request, request[at:], request[: at + 1], request[::-1], request + other, changed]
        if at_once:
            self.compare(repeats, self.run(self.service.batch(repeats, lines=True)))
            return
        for one in repeats:
            self.one(one)

    @rule(drawn=REQUESTS, how=HOW)
    def interrupted(self, drawn: Any, how: str) -> None:
        """Something ends while a request with expectations is on its way; it is sent again until it is answered."""
        request = self.request(drawn)

        async def both() -> Answer:
            asked = asyncio.create_task(self.service.append(request))
            await self.service.interrupt(how)
            return await asked

        self.compare([request], [self.run(both())], lost=True)
        self.seen[how] += 1

    @rule(drawn=st.lists(st.lists(ANYWAY, min_size=1, max_size=3), min_size=2, max_size=12), how=HOW)
    def many_interrupted(self, drawn: Any, how: str) -> None:
        """Of many on their way at once the log tells the order: as if they had been sent one by one in it."""
        requests = [self.request(one) for one in drawn]

        async def all_of_them() -> list[Answer]:
            asked = [asyncio.create_task(self.service.append(request)) for request in requests]
            await self.service.interrupt(how)
            return await asyncio.gather(*asked)

        answers = self.run(all_of_them())
        assert {found.status for found in answers} <= {200, 201}, answers
        self.stored += requests  # in the order that does not depend on chance
        ordered = sorted(zip(requests, answers, strict=True), key=lambda pair: pair[1].about[0][2])
        self.compare([request for request, _ in ordered], [found for _, found in ordered], lost=True)
        self.seen[how] += 1

    @rule(how=HOW)
    def restart(self, how: str) -> None:
        self.run(self.service.interrupt(how))
        self.seen[how] += 1

    def teardown(self) -> None:
        self.read_all()


@pytest.mark.slow
def test_service_and_model_answer_the_same(config: Settings) -> None:
    """Appends, batches, repeats, expectations and reads; `--hypothesis-profile=long` goes on for an hour, by chance."""
    long = hypothesis.settings.get_current_profile_name() == "long"
    bounded = hypothesis.settings(
        max_examples=2000 if long else 30,
        stateful_step_count=25,
        derandomize=not long,
        # Making a failing case smaller takes minutes.
        phases=[phase for phase in hypothesis.Phase if long or phase is not hypothesis.Phase.shrink],
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    with asyncio.Runner() as runner:
        session = runner.run(opened())
        service = Interrupted(config, session)
        with processes(service.process):
            runner.run(service.process.start().ready())
            HttpComparison.service, HttpComparison.runner = service, runner
            try:
                run_state_machine_as_test(HttpComparison, settings=bounded)
            finally:
                runner.run(session.close())
    done = HttpComparison.seen
    problems = {(409, "version-conflict"), (409, "event-id-reused"), (422, "invalid-request")}
    kinds = {"lines", "json", "log", "streams", ("stream", 200), ("stream", 404), "sessions", "kill", "stop"}
    assert done.keys() == {(201, ""), (200, "")} | problems | kinds
    assert min(done[kind] for kind in [(201, ""), (200, ""), *problems]) > 50, done
    assert service.repeated > 5


async def opened() -> aiohttp.ClientSession:
    """Also its connections belong to the runner's loop. An answer that does not come is a failure, and no long wait."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))
