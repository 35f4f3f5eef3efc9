"""The watch over the topics that consumers have: where they end, now and a while ago, so that a lag can be told."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from eskit import logs
from eskit.errors import EskitError
from eskit.settings import Settings
from offsets_svc.topics import asking
from offsets_svc.topics.asking import At, Record
from offsets_svc.topics.ends import Ends, Lag

log = logs.get(__name__)

EVERY_S = 0.5
LOOK_AROUND_S = 5.0  # for new partitions, and where they begin
STALE_S = 5.0
MAX_TOPICS = 100
MAX_PARTITIONS = 2000
MAX_DATES = 10_000
MOST_READ = 100

Topics = Callable[[], Awaitable[list[str]]]


class Watch:
    """Asks Kafka twice a second. While Kafka is away, or not configured, lags are unknown and `reason` says why."""

    def __init__(self, settings: Settings, topics: Topics) -> None:
        """`topics`: those that consumers have."""
        self._settings = settings
        self._topics = topics
        self._client: AdminClient | None = None
        self._thread = ThreadPoolExecutor(1, "watch")
        self._reading = ThreadPoolExecutor(1, "dates")
        self._known: list[str] = []
        self._partitions: list[At] = []
        self._ends: dict[At, Ends] = {}
        self._dates: OrderedDict[Record, float] = OrderedDict()
        self._now: asyncio.Future[None] | None = None
        self._looked_around = self._seen = float("-inf")
        self.reason: str | None = "the first look at Kafka is still to come"

    async def run(self) -> None:
        """Watch until cancelled."""
        if not self._settings.kafka_bootstrap:
            self.reason = "ESKIT_KAFKA_BOOTSTRAP is not set"
            return
        while True:
            try:
                await self._look()
            except (KafkaException, EskitError) as error:
                self._away(str(error.args[0]))
            except Exception:
                log.exception("the ends of topics could not be read")
                self._away("an error of our own, see the log")
            await asyncio.sleep(EVERY_S)

    def stop(self) -> None:
        """Let go of the threads."""
        for threads in (self._thread, self._reading):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> None:
        topics = await self._topics()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._ask, topics)
        self._seen = time.monotonic()
        if self.reason is not None:
            log.info("the lag of consumers is known")
        self.reason = None

    def _ask(self, topics: list[str]) -> None:
        """In the watch's own thread; readers meanwhile see old numbers, or new ones."""
        if self._client is None:
            self._client = asking.admin(self._settings)
        now = time.monotonic()
        if topics != self._known or now >= self._looked_around + LOOK_AROUND_S:
            self._partitions = asking.partitions(self._client, topics)[:MAX_PARTITIONS]
            for at, low in asking.beginnings(self._client, self._partitions).items():
                self._ends.setdefault(at, Ends()).low = low
            self._ends = {at: self._ends[at] for at in self._partitions if at in self._ends}
            self._known, self._looked_around = topics, now
        for at, high in asking.ends(self._client, self._partitions).items():
            if at in self._ends:
                self._ends[at].seen(now, high)

    def _away(self, reason: str) -> None:
        if time.monotonic() < self._seen + STALE_S:
            return
        if self.reason != reason:
            log.warning("the lag of consumers is not known", reason=reason)
        self.reason = reason

    async def lags(self, wanted: Iterable[Record], patience_s: float = 0.0) -> Mapping[Record, Lag]:
        """The lag of consumers that are at these places; none of a partition that is not watched.

        For what is older than the watch, records are read; what takes longer than the patience is known the next time,
        and its seconds are None until then.
        """
        if self.reason is not None:
            return {}
        now = time.monotonic()
        found = {place: self._ends[place.at].lag(place.offset, now) for place in wanted if place.at in self._ends}
        old = {p: self._first(p) for p, lag in found.items() if lag.seconds is None}
        await self._date(set(old.values()), patience_s)
        today = time.time()
        for place, first in old.items():
            if (written := self._dates.get(first)) is not None:
                found[place] = Lag(found[place].events, max(0.0, today - written))
        return found

    def _first(self, place: Record) -> Record:
        return Record(place.at, self._ends[place.at].next_record(place.offset))

    async def _date(self, records: set[Record], patience_s: float) -> None:
        """Find out when these records were written. One reading at a time, however many ask."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while missing := [record for record in records if record not in self._dates]:
            if self._now is None or self._now.done():
                self._now = loop.run_in_executor(self._reading, self._read, missing[:MOST_READ])
            if loop.time() >= deadline:
                return
            await asyncio.wait([self._now], timeout=deadline - loop.time())

    def _read(self, missing: list[Record]) -> None:
        """In a thread of its own."""
        try:
            self._dates |= asking.times(self._settings, missing)
        except (KafkaException, EskitError) as error:
            log.warning("records could not be dated", error=str(error.args[0]))
        while len(self._dates) > MAX_DATES:
            self._dates.popitem(last=False)
