"""What brokers refuse a member for, in the words of the settings that are the cause."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError

from eskit.errors import SettingsError

# What may pass by itself: members that share partitions out in another way end, rights are given.
SHUT_OUT = frozenset(
    {
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.GROUP_MAX_SIZE_REACHED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)


def fatal(error: KafkaError) -> bool:
    """Whether the Kafka client can do nothing more. What it gives to `poll` does not say so by `fatal()`."""
    return error.code() == KafkaError._FATAL or error.fatal()  # noqa: SLF001 - the library's name for its own code


class Refusals:
    """Of a member with this configuration."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._instance = f"instance_id {config.get('group.instance.id')!r}"
        self._session_ms = config.get("session.timeout.ms")

    def wrong(self, error: KafkaError) -> SettingsError | None:
        """The setting that is wrong, if it is one."""
        if _is(error, KafkaError.FENCED_INSTANCE_ID):
            return SettingsError(
                f"{self._instance}: another process has joined the group with it, so this one ends. "
                "Each process of a consumer needs an instance_id of its own",
                field="instance_id",
            )
        if _is(error, KafkaError.UNSUPPORTED_VERSION):
            return SettingsError("protocol 'consumer' needs brokers of Kafka 4.0 or later", field="protocol")
        if _is(error, KafkaError.INVALID_SESSION_TIMEOUT):
            return SettingsError(
                f"session_timeout_s: the brokers do not take {self._session_ms} ms; their limits are "
                "group.min.session.timeout.ms and group.max.session.timeout.ms",
                field="session_timeout_s",
            )
        return None

    def held(self, error: KafkaError) -> str:
        """Why it may be let in later; empty: that is not the point.

        With the protocol `consumer` the one who is there stays. After a crash that is who has crashed, until its
        session is over.
        """
        if _is(error, KafkaError.UNRELEASED_INSTANCE_ID):
            return f"{self._instance} is in use: by another process, or by one that was killed a moment ago"
        return ""


def shut_out(error: KafkaError) -> str:
    """What is said to those who ask whether it is well, until it gets partitions; empty: nothing."""
    return f"the consumer group does not let us in: {error.str()}" if error.code() in SHUT_OUT else ""


def _is(error: KafkaError, code: int) -> bool:
    # Of a fatal error the library tells the cause by its text only.
    return error.code() == code or (fatal(error) and KafkaError(code).str() in error.str())
