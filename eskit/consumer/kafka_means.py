"""What a consumer of the application log works with: Kafka, and the offsets service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from eskit.client.letters import DeadLetters
from eskit.client.offsets import Offsets
from eskit.consumer.config import GroupOptions, kafka_config
from eskit.consumer.dead_letter_topic import DeadLetterTopic
from eskit.consumer.delivery.routes import Routes
from eskit.consumer.group.bridge import Bridge, Callbacks
from eskit.consumer.group.poller import Poller
from eskit.consumer.letters import ServiceLetters
from eskit.consumer.means import Means
from eskit.kafka import seeking, topics
from eskit.letters import Owner
from eskit.offsets import Claim
from eskit.settings import Settings

# One attempt; how often to try is the runtime's business.
CALL_S = 5.0


@asynccontextmanager
async def kafka_means(settings: Settings, name: str, options: GroupOptions, routes: Routes) -> AsyncIterator[Means]:
    """Of one run. Nothing is asked yet; raises SettingsError."""
    config = kafka_config(settings, name, options)
    topic = DeadLetterTopic(settings, name)
    async with (
        Offsets(settings.offsets_url, timeout_s=CALL_S, patience_s=0, connections=4) as offsets,
        DeadLetters(settings.offsets_url, timeout_s=CALL_S, patience_s=0, connections=4) as client,
    ):

        def letters(claim: Claim) -> ServiceLetters:
            owner = Owner(settings.topic, claim.partition, claim.epoch)
            return ServiceLetters(client, topic, routes, name, owner)

        async def seek(partitions: Iterable[int], place: seeking.Place) -> dict[int, int]:
            return await asyncio.to_thread(seeking.find, settings, settings.topic, list(partitions), place)

        async def identify() -> str | None:
            return await asyncio.to_thread(topics.topic_id, settings, settings.topic)

        def group(callbacks: Callbacks) -> Poller:
            return Poller(config, settings.topic, Bridge(callbacks))

        yield Means(offsets, letters, group, seek, identify)
