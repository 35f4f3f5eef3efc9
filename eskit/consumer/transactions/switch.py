"""The copy of a view takes the place of the first: one transaction, while the first may be at work."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import NamedTuple

import confluent_kafka

from eskit.client.letters import DeadLetters
from eskit.client.offsets import Offsets
from eskit.consumer.consumer import Consumer
from eskit.consumer.transactions.exchange import Choices, Exchange, Stale, Switched
from eskit.consumer.transactions.following import READING, Following
from eskit.consumer.transactions.parity import analyze
from eskit.consumer.transactions.rebuild import NEAR, Pair
from eskit.consumer.transactions.standing import Way, standing
from eskit.consumer.transactions.target import View
from eskit.errors import Conflict, EskitError, SettingsError
from eskit.kafka import seeking, topics
from eskit.offsets import Claim
from eskit.postgres.boundary import boundary
from eskit.settings import Settings

LOOK_S = 0.2
# A rebalance of the first while we begin makes our claims older than its own: so often we claim anew.
ATTEMPTS = 5


async def switch(settings: Settings, consumers: Pair, choices: Choices) -> Switched:
    """Give the copy's view the first's name and its progress. All or nothing, also when this process is killed.

    The copy must not run anywhere. Raises Conflict that says what speaks against it (other contents, letters of the
    copy, something outside that is tied to the old tables), NotFound, Fenced, Unavailable.
    """
    async with AsyncExitStack() as stack:
        offsets = await stack.enter_async_context(Offsets(settings.offsets_url))
        letters = await stack.enter_async_context(DeadLetters(settings.offsets_url))
        first, copy = [await stack.enter_async_context(one.view(settings)) for one in consumers]
        if first is None or copy is None:
            raise SettingsError("only views can be switched", field="transaction")
        clients = Clients(offsets, letters, stack.enter_context(seeking.reader(settings, "eskit-rebuild", READING)))
        switching = _Switching(settings, consumers.copy, (first, copy), clients)
        for _ in range(ATTEMPTS):
            with suppress(Stale):
                return await switching.once(choices)
        raise Conflict(f"{first.consumer}'s members come and go; switch when they have settled")


class Clients(NamedTuple):
    """What is asked beside the database."""

    offsets: Offsets
    letters: DeadLetters
    reader: confluent_kafka.Consumer


class _Switching:
    def __init__(self, settings: Settings, copy: Consumer, views: tuple[View, View], clients: Clients) -> None:
        self._settings = settings
        self._consumer = copy
        self._first, self._copy = views
        self._clients = clients
        self._way = Way({})

    async def once(self, choices: Choices) -> Switched:
        claims = await self._claims()
        offsets = self._clients.offsets
        try:
            await self._require_no_letters()
            begun = {claim.partition: await self._copy.begin(claim) for claim in claims}
            following = Following(self._consumer, self._copy, begun, self._way.beginnings, self._clients.reader)
            await self._come_near(following, choices)
            exchange = Exchange((self._first, self._copy), following, self._clients.letters, self._way)
            switched = await exchange.run(choices)
        except BaseException:
            with suppress(EskitError):
                await offsets.release(self._copy.consumer, self._settings.topic, claims)
            raise
        with suppress(EskitError):  # what is left of the name there harms nobody
            await offsets.delete(self._copy.consumer, force=True)
        return switched

    async def _require_no_letters(self) -> None:
        name = self._copy.consumer
        if (await self._clients.letters.parked(name, count=False, limit=1)).parked:
            raise Conflict(f"{name} has dead letters: its view lacks their effect; retry or discard them first")

    async def _claims(self) -> list[Claim]:
        """Every partition of the copy is ours."""
        await standing(self._first)
        await standing(self._copy)
        settings, topic = self._settings, self._settings.topic
        self._way = Way(await asyncio.to_thread(seeking.find, settings, topic, None, "beginning"))
        topic_id = await asyncio.to_thread(topics.topic_id, settings, topic)
        return await self._clients.offsets.claim(
            self._copy.consumer, topic, self._way.beginnings, "eskit rebuild --switch", topic_id
        )

    async def _come_near(self, following: Following, choices: Choices) -> None:
        """Let the copy do most of what it is behind, and wait until the first is nowhere behind it."""
        # Only a favour to those who read: somebody may hold a table for long.
        with suppress(TimeoutError), boundary():
            async with asyncio.timeout(choices.wait_s), self._copy.pool.connection() as connection:
                await analyze(connection, self._copy.schema)
        loop = asyncio.get_running_loop()
        until = loop.time() + choices.wait_s
        while True:
            first = self._way.offsets(await standing(self._first))
            if Way.behind(following.offsets, first) > NEAR:
                await following.up_to(first)
            elif not Way.behind(first, following.offsets) or (loop.time() > until and choices.force):
                return
            elif loop.time() > until:
                count = Way.behind(first, following.offsets)
                message = (
                    f"{self._first.consumer} is {count} records behind its copy and does not come up to it, so the two "
                    "cannot be compared: let it run, or switch with --force"
                )
                raise Conflict(message)
            else:
                await asyncio.sleep(LOOK_S)
