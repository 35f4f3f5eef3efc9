"""What the local stack chooses where, and how it says why."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.backoff import Backoff
from infra.local.broker import BrokerOptions
from infra.local.kafka import UnavailableError, start_broker
from infra.local.ports import free_port
from infra.local.run import without_own
from infra.local.service import ServiceSpec
from infra.local.services import Addresses, environment
from infra.local.state import AlreadyRunsError, LastRun, State
from tests.lint_sizes import too_long

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Neither Docker nor Java on PATH; the folder that is all of it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return programs


def test_the_ladder_goes_on_to_the_next_kafka_and_says_why(tmp_path: Path, bare_machine: Path) -> None:
    docker = bare_machine / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    said: list[str] = []
    broker = start_broker(BrokerOptions(tmp_path, free_port(), said.append))
    try:
        assert broker.kind == "builtin"
        assert said == [
            "Kafka: not docker: no Docker engine runs (Cannot connect to the Docker daemon)",
            "Kafka: not maven: Java is not installed (17 or newer)",
            f"Kafka: {broker.description}",
        ]
        assert "memory only" in broker.description
    finally:
        broker.stop()


def test_a_java_that_is_too_old_is_named(tmp_path: Path, bare_machine: Path) -> None:
    java = bare_machine / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    with pytest.raises(UnavailableError, match="Java 11 is too old"):
        start_broker(BrokerOptions(tmp_path, free_port(), lambda _line: None), forced="maven")


def test_a_forced_kafka_is_not_replaced_by_another(tmp_path: Path, bare_machine: Path) -> None:
    with pytest.raises(UnavailableError, match="Docker is not installed"):
        start_broker(BrokerOptions(tmp_path, free_port(), lambda _line: None), forced="docker")
    with pytest.raises(UnavailableError, match="it can be docker, maven, builtin"):
        start_broker(BrokerOptions(tmp_path, free_port(), lambda _line: None), forced="podman")


def test_a_given_kafka_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.kafka_given.ANSWER_TIMEOUT_S", 0.3)
    with pytest.raises(UnavailableError, match="no answer from 127"):
        start_broker(BrokerOptions(tmp_path, free_port(), lambda _line: None), given=f"127.0.0.1:{free_port()}")


def test_backoff_doubles_up_to_half_a_minute_and_starts_anew_after_a_minute_of_health() -> None:
    pauses, backoff = [], Backoff()
    for _ in range(8):
        pause_s, backoff = backoff.after(ran_for_s=1)
        pauses.append(pause_s)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.after(ran_for_s=61)[0] == 0.5


def test_the_users_own_settings_win_over_those_of_the_stack() -> None:
    services = [ServiceSpec("crud", ("true",), 9002, "ESKIT_CRUD_PORT")]
    addresses = Addresses("postgresql://here", "127.0.0.1:9092")
    chosen = environment(services, addresses, {"ESKIT_HOST": "localhost", "ESKIT_LOG_FORMAT": "json"})
    assert chosen["ESKIT_HOST"] == "localhost"
    assert chosen["ESKIT_LOG_FORMAT"] == "json"
    assert chosen["ESKIT_CRUD_URL"] == "http://127.0.0.1:9002"
    assert chosen["ESKIT_KAFKA_BOOTSTRAP"] == "127.0.0.1:9092"


def test_addresses_of_our_own_last_run_are_not_taken_for_somebody_elses() -> None:
    own = {"DATABASE_URL": "postgresql://own", "KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    environ = {"DATABASE_URL": "postgresql://own", "KAFKA_BOOTSTRAP": "elsewhere:1", "HOME": "/"}
    assert without_own(environ, own) == {"KAFKA_BOOTSTRAP": "elsewhere:1", "HOME": "/"}


def test_one_stack_holds_the_lock_and_its_addresses_are_its_owners_to_read(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert not state.is_running()
    with state.running():
        assert state.is_running()
        with pytest.raises(AlreadyRunsError), State(tmp_path).running():
            pass
        state.write(LastRun({"DATABASE_URL": "postgresql://secret"}, [1], up=True))
    assert not state.is_running()
    assert state.read().environment == {"DATABASE_URL": "postgresql://secret"}
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600


def test_env_of_no_stack_prints_nothing_to_evaluate(tmp_path: Path, bare_machine: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.local", "env"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": str(bare_machine)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "make run" in done.stderr


def test_the_setup_says_which_python_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "infra" / "setup.sh")],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHON": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "setup: PYTHON=false is not a Python >= 3.11\n"


def test_sizes_are_checked(tmp_path: Path) -> None:
    long_function = tmp_path / "function.py"
    long_function.write_text("def f():\n" + "    pass\n" * 50)
    long_file = tmp_path / "file.sql"
    long_file.write_text("SELECT 1;\n" * 251)
    assert [line.split(": ", 1)[1] for path in (long_function, long_file) for line in too_long(path)] == [
        "f has 51 lines, a function at most 50",
        "251 lines, a file has at most 250",
    ]
