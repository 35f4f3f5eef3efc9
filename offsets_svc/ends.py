"""The ends of the topics that consumers read, watched beside the service: from them comes how far anybody is behind."""

from __future__ import annotations

import asyncio
import time

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from eskit import logs
from eskit.errors import EskitError
from eskit.kafka.config import client_config
from eskit.postgres.statements import statement
from eskit.settings import Settings
from offsets_svc.store.database import Database

log = logs.get(__name__)

TOPICS = statement("offsets_svc", "topics")
NOTE = statement("offsets_svc", "note_ends")
THIN_HISTORY = statement("offsets_svc", "thin_history")
THIN_ENDS = statement("offsets_svc", "thin_ends")

LOOK_S = 0.5
TOPICS_S = 2.0
THIN_S = 60.0
ANSWER_S = 3.0
# An answer of Kafka counts so long; then lags are unknown.
FRESH_S = 5.0
MAX_TOPICS = 200

Ends = dict[tuple[str, int], int]


class EndsWatch:
    """One of each instance. What one finds, all may tell."""

    def __init__(self, database: Database, settings: Settings) -> None:
        """Does nothing before `run`."""
        self._database = database
        self._settings = settings
        self._admin: AdminClient | None = None
        self._noted: Ends = {}
        self._topics: list[str] = []
        self._looked_s = self._topics_s = -FRESH_S
        self._thinned_s = time.monotonic()
        self._reason = "the ends of the topics were not looked at yet"

    @property
    def unknown(self) -> str | None:
        """Why lags cannot be told; None: they can."""
        if not self._settings.kafka_bootstrap:
            return "ESKIT_KAFKA_BOOTSTRAP is not set for the offsets service, so it cannot see where topics end"
        return None if time.monotonic() - self._looked_s < FRESH_S else self._reason

    async def run(self) -> None:
        """Look, again and again, until cancelled."""
        while True:
            try:
                await self._step()
            except EskitError as error:
                self._say(error.detail)
            except KafkaException as error:
                self._say(f"Kafka cannot be reached: {error.args[0].str()}")
            await asyncio.sleep(LOOK_S)

    def _say(self, reason: str) -> None:
        if self._reason != reason:
            log.warning("lags are unknown", reason=reason)
        self._reason = reason

    async def _step(self) -> None:
        now = time.monotonic()
        if now - self._thinned_s >= THIN_S:
            self._thinned_s = now
            await self._database.rows(THIN_HISTORY, {})
            await self._database.rows(THIN_ENDS, {})
        if not self._settings.kafka_bootstrap:
            return
        if now - self._topics_s >= TOPICS_S:
            self._topics = [row[0] for row in await self._database.rows(TOPICS, {"limit": MAX_TOPICS})]
            self._topics_s = now
        await self._note(await asyncio.to_thread(self._look))
        self._looked_s = time.monotonic()
        self._reason = ""

    def _look(self) -> Ends:
        """In a thread: it waits for Kafka."""
        if self._admin is None:
            self._admin = AdminClient(client_config(self._settings, "eskit-offsets"))
        known = self._admin.list_topics(timeout=ANSWER_S).topics
        wanted = {
            TopicPartition(name, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]  # has no types
            for name in self._topics
            if name in known
            for number in known[name].partitions
        }
        if not wanted:
            return {}
        answers = self._admin.list_offsets(wanted, request_timeout=ANSWER_S)
        return {(at.topic, at.partition): int(answer.result().offset) for at, answer in answers.items()}

    async def _note(self, ends: Ends) -> None:
        # First those that are lower than they were: their topic was made anew.
        lower = {at: end for at, end in ends.items() if end < self._noted.get(at, 0)}
        changed = {at: end for at, end in ends.items() if self._noted.get(at) != end and at not in lower}
        for some, anew in ((lower, True), (changed, not self._noted)):
            if some:
                values = {"topics": [t for t, _ in some], "partitions": [p for _, p in some],
                          "ends": list(some.values()), "anew": anew}  # fmt: skip
                await self._database.rows(NOTE, values)
        self._noted.update(ends)
