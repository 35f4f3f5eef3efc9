"""Fixtures for all tests: a PostgreSQL and a Kafka for the session, a database and a topic name for each test."""

import os
import uuid
from collections.abc import Iterator

import hypothesis
import pytest

from infra.local.broker import KafkaBroker
from infra.local.postgres import PostgresServer
from tests import stack
from tests.containers import ContainerKafka, ContainerPostgres
from tests.stack import Postgres

_used = pytest.StashKey[list[str]]()

# For an hour that nobody needs the machine: `make test ARGS="--hypothesis-profile=long -k http_model"`.
hypothesis.settings.register_profile("long")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_used] = []
    for variable in list(os.environ):
        # What a shell has from `make env` belongs to another stack.
        if variable in stack.STACK_VARIABLES or (
            variable.startswith("ESKIT_") and variable.endswith(("_URL", "_PORT"))
        ):
            del os.environ[variable]


def pytest_report_header() -> str:
    return f"infrastructure: {stack.plan()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    used = config.stash[_used]
    for line in dict.fromkeys(used):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[Postgres]:
    """The session's PostgreSQL: `url`, `url_of(database)`. Shared, so not to be stopped by a test."""
    if not stack.in_containers():
        with stack.local_postgres() as server:
            pytestconfig.stash[_used].append(f"PostgreSQL: {server.description}")
            yield server
        return
    container = ContainerPostgres()
    container.start()
    pytestconfig.stash[_used].append(f"PostgreSQL: {container.description}")
    yield container
    container.stop()


@pytest.fixture(scope="session")
def kafka_broker(pytestconfig: pytest.Config) -> Iterator[KafkaBroker]:
    """The session's Kafka: `bootstrap`, `kind`, `create_topic`. Shared, so not to be stopped by a test."""
    if not stack.in_containers():
        with stack.local_kafka(pytestconfig.stash[_used].append) as broker:
            yield broker
        return
    container = ContainerKafka()
    container.start()
    pytestconfig.stash[_used].append(f"Kafka: {container.description}")
    yield container
    container.stop()


@pytest.fixture(scope="session")
def template_database(postgres_server: Postgres) -> str:
    """The name of the migrated database that each test's own is copied from. Nobody may stay connected to it."""
    return stack.make_template(postgres_server)


@pytest.fixture
def database_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """A database of the test's own, with every schema in it, dropped afterwards."""
    with stack.fresh_database(postgres_server, template_database) as url:
        yield url


@pytest.fixture
def topic_name() -> str:
    """A name that no other test uses; the topic is not made."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def private_postgres() -> Iterator[PostgresServer]:
    """An empty PostgreSQL of the test's own: stop("fast" or "immediate"), kill(), start() again on the same port."""
    with stack.local_postgres() as server:
        yield server


@pytest.fixture
def private_kafka(pytestconfig: pytest.Config) -> Iterator[KafkaBroker]:
    """A Kafka of the test's own, to stop(), kill() and start() again; with the marker real_kafka it keeps its data."""
    with stack.local_kafka(pytestconfig.stash[_used].append) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _real_kafka(request: pytest.FixtureRequest) -> None:
    """Skips a test marked real_kafka where Kafka is only pretended."""
    if request.node.get_closest_marker("real_kafka") is None:
        return
    name = "private_kafka" if "private_kafka" in request.fixturenames else "kafka_broker"
    broker = request.getfixturevalue(name)
    if not broker.durable:
        pytest.skip(f"needs a real Kafka, this is {broker.description}")
