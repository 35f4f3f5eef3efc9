"""What every kind of Kafka broker offers to the stack and to the tests, and what it is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from infra.local.processes import Say, wait_for

Kind = Literal["docker", "maven", "builtin", "given"]

# A client that meets a broker which is still starting would otherwise wait seconds before it tries again.
CLIENT_OPTIONS: Mapping[str, str | int] = {
    "reconnect.backoff.ms": 10,
    "reconnect.backoff.max.ms": 50,
    "log_level": 0,  # "connection refused" is what we wait through, not news
}


STOP_TIMEOUT_S = 8.0


class UnavailableError(Exception):
    """This kind of broker cannot be had on this machine; the message says why in one line."""


@dataclass(frozen=True)
class BrokerOptions:
    """Where a broker keeps its data (each kind in a folder of its own), on which port it listens, whom it tells."""

    data_dir: Path
    port: int
    say: Say
    quick: bool = False  # for tests: start soon rather than run fast


class KafkaBroker(Protocol):
    """A broker of one node. Started again after `stop` or `kill` it has the same address and, but for the built-in
    one, the same data."""

    @property
    def kind(self) -> Kind: ...

    @property
    def description(self) -> str:
        """For people: what it is, its version, whence it comes."""

    @property
    def bootstrap(self) -> str:
        """`host:port`; of the built-in one only after its start."""

    @property
    def durable(self) -> bool:
        """Whether the data survive a restart."""

    def start(self) -> None:
        """Return when it answers. Raises UnavailableError when it cannot be had or does not come up."""

    def stop(self, *, grace_s: float = STOP_TIMEOUT_S) -> None:
        """End it in good order; by force when it has not ended in that time."""

    def kill(self) -> None:
        """End it as a power cut would."""

    def remove(self) -> None:
        """Throw the data of a stopped one away."""

    def alive(self) -> bool: ...

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic; nothing happens when it is there."""


def answers(bootstrap: str, *, timeout_s: float = 1.0) -> bool:
    """Whether a broker at that address gives its metadata within the time."""
    client = AdminClient({"bootstrap.servers": bootstrap, **CLIENT_OPTIONS})
    try:
        return bool(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return False


def delete_topic(bootstrap: str, name: str) -> None:
    """Delete a topic on a real broker and wait until it is gone; nothing happens when it is not there."""
    client = AdminClient({"bootstrap.servers": bootstrap, **CLIENT_OPTIONS})
    if name not in client.list_topics(timeout=10).topics:
        return
    client.delete_topics([name])[name].result(timeout=30)
    if not wait_for(lambda: name not in client.list_topics(timeout=10).topics, timeout_s=30):
        raise UnavailableError(f"the topic {name} was deleted and yet is there")


def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    """Make a topic on a real broker and wait until it is there."""
    client = AdminClient({"bootstrap.servers": bootstrap, **CLIENT_OPTIONS})
    if name in client.list_topics(timeout=10).topics:
        return
    client.create_topics([NewTopic(name, partitions, 1)])[name].result(timeout=30)
