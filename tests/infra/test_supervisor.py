"""The local stack comes up, restarts what dies, and goes away whole, however it is told to."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.local.ports import free_port
from infra.local.state import State
from tests.infra.running import left_behind, process_of, refused_stack, running_stack
from tests.stack import scratch

READY = "Ready in"


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for a stack's data that the database's user can reach too."""
    with scratch() as folder:
        yield folder / "home"


@pytest.fixture
def ports() -> list[int]:
    return [free_port() for _ in range(3)]


def spoken(output: str, word: str) -> list[str]:
    """Who said it, in order."""
    return [line.split()[2] for line in output.splitlines() if line.endswith(f" {word}")]


def test_a_ctrl_c_stops_everything_in_order_and_the_data_are_there_next_time(home: Path, ports: list[int]) -> None:
    services = [f"{name}={port}" for name, port in zip(("offsets", "eventstore", "metrics"), ports, strict=True)]
    with running_stack(home, *services) as stack:
        stack.wait_until_said(READY)
        url = State(home).read().environment["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        # The terminal signals the whole group; that the services have sessions of their own keeps the order ours.
        os.killpg(stack.process.pid, signal.SIGINT)
        assert stack.wait() == 0
        assert spoken(stack.output, "leaves") == ["metrics", "eventstore", "offsets"]
        assert left_behind(home, *ports) == []
        assert url not in stack.output  # it holds the password

    with running_stack(home, *services) as stack:
        stack.wait_until_said(READY)
        with psycopg.connect(State(home).read().environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
        # The built-in Kafka has forgotten the topic, PostgreSQL has not forgotten that it was published.
        assert "the whole log is published to it anew" in stack.output
        stack.process.kill()
        stack.wait()
        # Nothing survives a supervisor that could not say goodbye, and the next one starts all the same.
    with running_stack(home, *services) as stack:
        stack.wait_until_said(READY)


def test_a_service_that_dies_is_restarted_and_a_deaf_one_is_stopped_in_time(home: Path, ports: list[int]) -> None:
    """Through make, which gets the SIGTERM: it passes it on, and what it started goes away."""
    with running_stack(home, f"eventstore={ports[0]}", f"crud={ports[1]},deaf", through_make=True) as stack:
        stack.wait_until_said(READY)
        before = process_of(ports[0])
        os.kill(before, signal.SIGKILL)
        stack.wait_until_said("!!! eventstore ended by signal 9")
        stack.wait_until_said("eventstore was started again")
        stack.wait_until_said("eventstore listens", times=2)
        assert process_of(ports[0]) != before

        assert "runs already" in refused_stack(home, f"eventstore={ports[2]}")

        asked_at = time.monotonic()
        stack.process.terminate()
        stack.wait()
        assert time.monotonic() - asked_at < 10
        assert left_behind(home, *ports) == []


def test_a_second_ctrl_c_does_not_wait(home: Path, ports: list[int]) -> None:
    with running_stack(home, f"eventstore={ports[0]},deaf") as stack:
        stack.wait_until_said(READY)
        stack.process.send_signal(signal.SIGINT)
        stack.wait_until_said("stopping")
        time.sleep(0.6)  # sooner, it would count as the same Ctrl-C
        asked_at = time.monotonic()
        stack.process.send_signal(signal.SIGINT)
        assert stack.wait() == 130
        assert time.monotonic() - asked_at < 2
        assert left_behind(home, *ports) == []


def test_a_given_database_is_used_and_left_alone(home: Path, ports: list[int], database_url: str) -> None:
    with running_stack(home, f"eventstore={ports[0]}", DATABASE_URL=database_url) as stack:
        stack.wait_until_said(READY)
        assert State(home).read().environment["DATABASE_URL"] == database_url
        assert not (home / "postgres").exists()
        stack.process.terminate()
        assert stack.wait() == 0
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_taken_port_is_named_before_anything_starts(home: Path, ports: list[int]) -> None:
    with running_stack(home, f"eventstore={ports[0]}") as first:
        first.wait_until_said("listens")
        other = home.with_name("other")
        said = refused_stack(other, f"crud={ports[1]}", f"metrics={ports[0]}")
        assert f"port {ports[0]} is taken, and metrics needs one" in said
        assert "ESKIT_METRICS_PORT" in said
        assert not (other / "postgres").exists()
