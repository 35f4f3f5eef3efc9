"""librdkafka settings of every client of ours."""

from __future__ import annotations

from typing import Any

import confluent_kafka

from eskit import logs
from eskit.settings import Settings

log = logs.get(__name__)


def client_config(settings: Settings, client_id: str) -> dict[str, Any]:
    """What producer, consumer and admin clients share. A user's ESKIT_KAFKA_OPTIONS come last."""
    return {
        "bootstrap.servers": settings.require("kafka_bootstrap").kafka_bootstrap,
        "client.id": client_id,
        # A broker that comes back is found within a second, not after the default ten.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        "error_cb": _on_error,
        "log_level": 3,
        **settings.kafka_options,
    }


def _on_error(error: confluent_kafka.KafkaError) -> None:
    """Brokers that come and go: librdkafka goes on by itself; fatal errors reach the caller too."""
    log.warning("kafka", error=error.name(), detail=error.str())
