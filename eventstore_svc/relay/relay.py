"""The relay's life: wait for the lease, find out what the topic has, send the rest, start again at any doubt."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from contextlib import AsyncExitStack, suppress
from functools import partial

import psycopg
from confluent_kafka import KafkaException
from psycopg import AsyncConnection

from eskit import logs
from eskit.errors import EskitError, TopicMismatch, Unavailable
from eskit.events import Stored
from eskit.postgres import connections
from eskit.postgres.boundary import boundary, shielded
from eskit.postgres.statements import statement
from eskit.settings import Settings
from eventstore_svc.relay import topic as topics
from eventstore_svc.relay.cursor import Cursor
from eventstore_svc.relay.lease import Lease
from eventstore_svc.relay.publisher import MOST_AT_ONCE, Publisher
from eventstore_svc.relay.status import Status
from eventstore_svc.relay.tails import Tail, check_tails, read_tails
from eventstore_svc.relay.topic import Topic
from eventstore_svc.store import schema
from eventstore_svc.store.arrays import adapters
from eventstore_svc.store.notices import Notice
from eventstore_svc.store.reads import PAGE_BYTES, Head, is_full, log_head, rows

log = logs.get(__name__)

READ = statement("eventstore_svc", "relay_read")
TRIM = statement("eventstore_svc", "outbox_trim")
TOPIC = statement("eventstore_svc", "relay_topic")
PIN = statement("eventstore_svc", "relay_topic_pin")
EVENT_IDS = statement("eventstore_svc", "relay_event_ids")

WINDOW_PAUSE_S = 0.002
WATCH_EVERY_S = 5.0
TRIM_EVERY_S = 0.5
DRAIN_S = 3.0
PAUSE_LEAST_S = 0.1
PAUSE_MOST_S = 5.0


class Relay:
    """One relay process. `run` ends only by cancellation, or raises TopicMismatch."""

    def __init__(self, settings: Settings, status: Status) -> None:
        """Connects to nothing yet."""
        self._settings = settings
        self._status = status
        self._schema = schema(settings)
        info = connections.conninfo(settings, self._schema, "relay", "eskit relay")
        self._connect = partial(connections.connect, info, self._schema, adapters())
        self._notice = Notice(self._connect, self._schema)

    async def run(self) -> None:
        """Be a standby, then the active relay, for ever; what is away is waited for."""
        loop = asyncio.get_running_loop()
        pause_s = PAUSE_LEAST_S
        listening = asyncio.create_task(self._notice.listen())
        try:
            while True:
                began_at = loop.time()
                try:
                    await self._be_active()
                except TopicMismatch:
                    raise
                except (EskitError, KafkaException, psycopg.Error) as error:
                    self._status.failed(error)
                    log.warning("starting again", error=type(error).__name__, detail=str(error))
                    # A term that lasted is no reason to be slow after it.
                    lasted = loop.time() - began_at > PAUSE_MOST_S
                    pause_s = PAUSE_LEAST_S if lasted else min(pause_s * 2, PAUSE_MOST_S)
                    await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - spreads retries
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _be_active(self) -> None:
        """One term of office: from taking the lease to losing it, or to the first doubt."""
        async with AsyncExitStack() as stack:
            keeper = await self._connect()
            stack.push_async_callback(keeper.close)
            lease = Lease(f"{socket.gethostname()} pid {os.getpid()}", self._settings.relay_lease_s)
            await self._wait_for(lease, keeper)
            log.info("active", epoch=lease.epoch)
            reader = await self._connect()
            stack.push_async_callback(reader.close)
            keeping = asyncio.create_task(lease.keep(keeper))
            working = asyncio.create_task(self._publish(lease, reader))
            try:
                done, _ = await asyncio.wait([keeping, working], return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                # Working first: it may have to drain, under a lease that is still kept.
                for task in (working, keeping):
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                self._status.passive()
                if lease.valid and not keeper.closed:
                    await lease.release(keeper)

    async def _wait_for(self, lease: Lease, keeper: AsyncConnection) -> None:
        while not await lease.take(keeper):
            self._status.standby(await lease.holder(keeper))
            await asyncio.sleep(self._settings.relay_lease_s / 5)

    async def _publish(self, lease: Lease, reader: AsyncConnection) -> None:
        topic = await self._topic(reader)
        limit = await asyncio.to_thread(topics.record_limit, self._settings)
        tails = await asyncio.to_thread(read_tails, self._settings, topic)
        head = await self._check(reader, tails)  # after the tails: the log must reach at least as far as they do
        cursor = Cursor([tail.position for tail in tails], head.published, head.position)
        log.info("going on", after=cursor.read, head=head.position, tails=[tail.position for tail in tails])
        publisher = Publisher(self._settings, [tail.offset for tail in tails], cursor, limit)
        watching = asyncio.create_task(self._watch(topic))
        pumping = asyncio.create_task(self._pump(lease, reader, cursor, publisher))
        drain_s = 0.0
        try:
            self._status.active(cursor, publisher)
            done, _ = await asyncio.wait([watching, pumping], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            drain_s = DRAIN_S if lease.valid else 0.0
            raise
        finally:
            for task in (watching, pumping):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(publisher.close, drain_s)
            if drain_s and not reader.closed:
                with suppress(EskitError):  # what is not removed now is found on the topic by the next relay
                    await self._trim(lease, reader, cursor)

    async def _check(self, reader: AsyncConnection, tails: list[Tail]) -> Head:
        """The log's head; raises TopicMismatch when the topic's records are not this log's."""
        with boundary():
            head = await log_head(reader)
            cursor = await reader.execute(EVENT_IDS, {"positions": [tail.position for tail in tails]})
            check_tails(tails, dict(await cursor.fetchall()))
        return head

    async def _topic(self, reader: AsyncConnection) -> Topic:
        """The topic, made or found, and the one this log is pinned to."""
        found = await asyncio.to_thread(topics.find, self._settings)
        with boundary():
            row = await (await reader.execute(TOPIC)).fetchone()
        topics.compare(found, Topic(*row) if row else None)
        while found is None:
            await asyncio.to_thread(topics.create, self._settings)
            found = await asyncio.to_thread(topics.find, self._settings)
        with boundary():
            row = await (await reader.execute(PIN, found._asdict())).fetchone()
        topics.compare(found, Topic(*row) if row else None)
        return found

    async def _watch(self, topic: Topic) -> None:
        """Look now and then whether the topic is still the same; raises TopicMismatch."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            try:
                found = await asyncio.to_thread(topics.find, self._settings)
            except Unavailable:
                continue  # the publisher notices, and readiness says it
            topics.compare(found, topic)

    async def _pump(self, lease: Lease, reader: AsyncConnection, cursor: Cursor, publisher: Publisher) -> None:
        loop = asyncio.get_running_loop()
        # Nothing may come for long, and readers want to know where the partitions end.
        await self._trim(lease, reader, cursor)
        trimmed_at = loop.time()
        ahead: asyncio.Future[list[Stored]] | None = None
        try:
            while True:
                events = await (ahead or self._read(reader, cursor.read))
                # In a backlog the database prepares the next events while these are encoded and sent.
                more = is_full(events, MOST_AT_ONCE)
                ahead = asyncio.ensure_future(self._read(reader, events[-1].position)) if more else None
                while publisher.full:
                    publisher.serve()
                    await asyncio.sleep(WINDOW_PAUSE_S)
                lease.require()
                self._status.sent(publisher.send(events))
                if cursor.published > cursor.trimmed and loop.time() - trimmed_at > TRIM_EVERY_S:
                    await self._trim(lease, reader, cursor)
                    trimmed_at = loop.time()
                if not events:
                    await self._idle(cursor, publisher)
        finally:
            if ahead is not None:
                await asyncio.gather(ahead, return_exceptions=True)

    async def _read(self, reader: AsyncConnection, after: int) -> list[Stored]:
        values = {"after": after, "limit": MOST_AT_ONCE, "most_bytes": PAGE_BYTES}
        with boundary(), connections.severed_after(reader, connections.answer_s(self._settings)):
            return await shielded(rows(reader, READ, values))

    async def _idle(self, cursor: Cursor, publisher: Publisher) -> None:
        """Wait for what comes first: a delivery report, a notice of an append, the poll interval."""
        if cursor.outstanding:
            publisher.serve()
            await self._notice.wait(WINDOW_PAUSE_S / 2)
        else:
            await self._notice.wait(TRIM_EVERY_S if cursor.published > cursor.trimmed else self._settings.relay_poll_s)

    async def _trim(self, lease: Lease, reader: AsyncConnection, cursor: Cursor) -> None:
        published = cursor.published
        with boundary():
            await reader.execute(TRIM, {"published": published, "epoch": lease.epoch, "ends": cursor.ends})
        cursor.trimmed = published
