"""Many events a request: JSON with ten, lines with a thousand; against one event a request and against COPY."""

from __future__ import annotations

import time

import psycopg

from tests.benchmarks.load import PAYLOAD
from tests.benchmarks.measure import load, medians, row, say, service
from tests.services import config_for
from tests.stack import local_postgres, migrate

LINES = 1000
COPIED = 100_000
COLUMNS = (
    "position, recorded_at, occurred_on, event_id, version, entity_type, action, originator_id, metadata, payload,"
    " append_size"
)


def run(rounds: int, requests: int) -> None:
    """Interleaved rounds; rates in events."""
    with local_postgres() as postgres, local_postgres() as other:
        migrate(postgres.url)
        migrate(other.url)
        config = config_for(postgres.url)
        with service("eventstore_svc", config, "eventstore_port") as ours:
            load(ours, "append", 2000)
            found: dict[str, list[dict[str, float]]] = {name: [] for name in ("one", "ten", "lines", "copy")}
            for number in range(rounds):
                found["one"].append(load(ours, "append", requests))
                found["ten"].append(load(ours, "append10", requests // 10))
                found["lines"].append(load(ours, "lines", max(requests // 100, 20), 4))
                found["copy"].append({"rate": copy(other.url, number)})
                say(f"  round {number + 1} of {rounds}")
    events = {"one": 1, "ten": 10, "lines": LINES, "copy": 1}
    rates = {name: medians(results)["rate"] * events[name] for name, results in found.items()}
    say(row("append", "events/s", "against one a request", "against COPY"))
    say("|---|---|---|---|")
    for name, rate in rates.items():
        say(row(name, f"{rate:.0f}", f"{rate / rates['one']:.2f}", f"{rate / rates['copy']:.2f}"))
    say("goals: ten and lines at least 3 times one; lines at least 0.5 of COPY")


def copy(url: str, round_number: int) -> float:
    """Rows/s of COPY into the same tables with all their indexes, in transactions as large as a request."""
    with psycopg.connect(url, options="-c search_path=eventstore", autocommit=True) as connection:
        connection.execute(
            f"CREATE TEMP TABLE ready AS SELECT n + {round_number * COPIED} AS position, now() AS recorded_at,"
            " now() AS occurred_on, gen_random_uuid() AS event_id, 1 AS version, 'User' AS entity_type,"
            " 'Created' AS action, random()::text AS originator_id,"
            " '{\"correlation_id\":\"' || gen_random_uuid() || '\"}' AS metadata,"
            f" '{PAYLOAD}' AS payload, 1 AS append_size FROM generate_series(1, {COPIED}) AS n"
        )
        with connection.cursor().copy(f"COPY (SELECT {COLUMNS} FROM ready ORDER BY position) TO STDOUT") as out:
            lines = b"".join(bytes(piece) for piece in out).splitlines(keepends=True)
        started = time.perf_counter()
        for start in range(0, COPIED, LINES):
            part = lines[start : start + LINES]
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(f"COPY events ({COLUMNS}) FROM STDIN") as into:
                    into.write(b"".join(part))
                with cursor.copy("COPY outbox (position) FROM STDIN") as into:
                    into.write(b"".join(line.partition(b"\t")[0] + b"\n" for line in part))
        return COPIED / (time.perf_counter() - started)
