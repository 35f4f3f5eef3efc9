"""How a consumer reads: its options, and librdkafka's settings made from them."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple, Self, get_args

from eskit.errors import SettingsError
from eskit.kafka.config import client_config
from eskit.kafka.seeking import Place
from eskit.settings import Settings

# Where to read a partition of which nothing is saved; a datetime means the time an event was recorded.
Start = Place
Protocol = Literal["classic", "consumer"]

HEARTBEAT_S = 1.0
# What brokers take as group.instance.id, in either protocol.
INSTANCE_ID = re.compile(r"[A-Za-z0-9._-]{1,249}")
# A member that does not poll for so long is thrown out. Ours polls all the time, but for a revocation.
POLL_LEAST_S = 300.0


class Tuning(NamedTuple):
    """Bounds of a consumer that seldom need a change. Times in seconds, sizes in bytes, the rest counts a partition."""

    commit_interval_s: float = 1.0  # offsets are saved this often …
    commit_events: int = 1000  # … or after so many events over all partitions
    window: int = 10_000  # most events handled and not yet committed, while the offsets service is away
    queue_events: int = 2000  # most records that wait for their handler
    queue_bytes: int = 16 * 1024 * 1024
    batch_events: int = 500  # most events of one batch, or of one transaction
    batch_wait_s: float = 0.0  # how long a batch that is not full waits for more; 0: what is there makes a batch
    grace_s: float = 10.0  # time for the event at work when a partition is given up, and then for the last commit
    retry_least_s: float = 0.1  # first pause after a handler's error, doubling to …
    retry_most_s: float = 30.0
    # Without news, offsets are sent again this often: `last_seen` tells the living. As often the topic's id is asked.
    refresh_s: float = 30.0

    @property
    def handover_s(self) -> float:
        """The longest that a revocation waits: for a claim under way, handlers, the last commit, the hooks."""
        return 3 * self.grace_s + 15


class GroupOptions(NamedTuple):
    """How a process is a member of its group.

    `protocol`: `classic` (cooperative-sticky), or `consumer` (KIP-848, brokers from 4.0 on; there the broker says how
    long a silent member keeps its partitions). `instance_id`: a static member keeps its partitions over a restart.
    """

    protocol: Protocol = "classic"
    instance_id: str | None = None
    session_timeout_s: float = 10.0
    handover_s: float = Tuning().handover_s

    def checked(self) -> Self:
        """Raises SettingsError, which names the option."""
        if self.protocol not in get_args(Protocol):
            raise SettingsError(f"protocol must be one of {get_args(Protocol)}", field="protocol")
        if self.instance_id is not None and not INSTANCE_ID.fullmatch(self.instance_id):
            raise SettingsError("instance_id must be 1 to 249 of a-z A-Z 0-9 . _ -", field="instance_id")
        if not 0 < self.session_timeout_s < 3600:
            raise SettingsError("session_timeout_s must be above 0, and below 3600", field="session_timeout_s")
        return self


def group_id(settings: Settings, name: str) -> str:
    """The consumer group: the consumer's name, and the log's unless it is `main`; one group reads one topic."""
    return f"{name}.{settings.suffix}" if settings.suffix else name


def kafka_config(settings: Settings, name: str, options: GroupOptions) -> dict[str, Any]:
    """librdkafka's settings. What our promises hang on stands last: no ESKIT_KAFKA_OPTIONS can change it."""
    return {
        # A topic that does not exist yet is found this soon after the relay has made it.
        "topic.metadata.refresh.interval.ms": 5000,
        # Back-pressure is ours; after a full queue librdkafka would otherwise wait a second before it fetches again.
        "fetch.queue.backoff.ms": 10,
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 32 * 1024,
        "max.poll.interval.ms": round(max(POLL_LEAST_S, options.session_timeout_s, 2 * options.handover_s) * 1000),
        **client_config(settings, f"eskit-{name}"),
        "group.id": group_id(settings, name),
        **_membership(options),
        # Offsets live in the offsets service, and a missing one is an error, never a jump.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
    }


def _membership(options: GroupOptions) -> dict[str, Any]:
    static = {"group.instance.id": options.instance_id} if options.instance_id else {}
    if options.protocol == "consumer":
        return {"group.protocol": "consumer", **static}
    return {
        "group.protocol": "classic",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": round(options.session_timeout_s * 1000),
        # Members learn of a rebalance from the answers to their heartbeats.
        "heartbeat.interval.ms": round(min(HEARTBEAT_S, options.session_timeout_s / 5) * 1000),
        **static,
    }
