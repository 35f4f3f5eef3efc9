"""Several batches in flight on one session of libpq, against one after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg
from psycopg import pq
from psycopg.pq import Format

from eventstore_svc.store import NewEvent
from eventstore_svc.store.batch import PARAMETERS, parameters
from tests.benchmarks.designs.logs import APPEND, events_for, filled_server
from tests.benchmarks.designs.ways import OPTIONS, table, turned


class Pipe:
    """A session of libpq with up to `depth` batches in flight; 1: one after the other."""

    def __init__(self, url: str, depth: int) -> None:
        self.connection = psycopg.connect(url, options=OPTIONS, autocommit=True)
        self._pgconn = self.connection.pgconn
        self._pgconn.prepare(b"append", APPEND)
        if depth > 1:
            self._pgconn.enter_pipeline_mode()
        self._depth = depth

    def store(self, batches: Sequence[Sequence[NewEvent]]) -> float:
        """Seconds for all."""
        started = time.perf_counter()
        flying = 0
        for batch in batches:
            values = parameters([[event] for event in batch])
            if self._depth == 1:
                result = self._pgconn.exec_prepared(b"append", values, [Format.BINARY] * PARAMETERS, Format.BINARY)
                assert result.status == pq.ExecStatus.TUPLES_OK
                continue
            if flying == self._depth:
                self._receive()
                flying -= 1
            self._pgconn.send_query_prepared(b"append", values, [Format.BINARY] * PARAMETERS, Format.BINARY)
            self._pgconn.pipeline_sync()
            flying += 1
        for _ in range(flying):
            self._receive()
        return time.perf_counter() - started

    def _receive(self) -> None:
        result = self._pgconn.get_result()
        assert result is not None
        assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
        assert self._pgconn.get_result() is None
        end = self._pgconn.get_result()
        assert end is not None
        assert end.status == pq.ExecStatus.PIPELINE_SYNC


def run(rounds: int, events: int) -> None:
    """A full queue, and the same number of callers with one batch or two halves in flight."""
    with filled_server(events, autovacuum="on") as server:
        pipelines(server.url_of("filled"), rounds)


def pipelines(url: str, rounds: int) -> None:
    """On a log that is there."""
    designs = {"one after the other": (1, 1), "pipeline, two in flight": (2, 1), "pipeline, two halves": (2, 2)}
    pipes = {name: Pipe(url, depth) for name, (depth, _) in designs.items()}
    for size, batches in ((64, 30), (1000, 4)):
        found: dict[str, list[float]] = {name: [] for name in designs}
        for number in range(rounds):
            for name in turned(list(designs), number):
                parts = designs[name][1]
                prepared = [events_for(size // parts) for _ in range(batches * parts)]
                found[name].append(1e6 * pipes[name].store(prepared) / (size * batches))
        table(f"pipeline, {size} events a batch", found)
