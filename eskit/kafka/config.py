"""librdkafka settings of every client of ours."""

from __future__ import annotations

import time
from typing import Any

import confluent_kafka

from eskit import logs
from eskit.settings import Settings

log = logs.get(__name__)

ERROR_EVERY_S = 10.0


def client_config(settings: Settings, client_id: str) -> dict[str, Any]:
    """What producer, consumer and admin clients share. A user's ESKIT_KAFKA_OPTIONS come last."""
    return {
        "bootstrap.servers": settings.require("kafka_bootstrap").kafka_bootstrap,
        "client.id": client_id,
        # A broker that comes back is found within a second, not after the default ten.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        "error_cb": ErrorLog(),
        "log_level": 2,  # what is wrong with a broker comes by error_cb too, and there into our log
        **settings.kafka_options,
    }


class ErrorLog:
    """Brokers that come and go: librdkafka goes on by itself; fatal errors reach the caller too.

    It tells of every attempt to connect, dozens a second: each kind of error is logged now and then.
    """

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}

    def __call__(self, error: confluent_kafka.KafkaError) -> None:
        """An error of one client."""
        now, name = time.monotonic(), error.name()
        if now >= self._logged.get(name, -ERROR_EVERY_S) + ERROR_EVERY_S:
            self._logged[name] = now
            log.warning("kafka", error=name, detail=error.str())
