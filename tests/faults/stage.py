"""A log that grows, the offsets service, and the members of the consumers: what is needed to kill them under load."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.faults.effects import Effect, Fault, complete, ends, in_order, of_file, of_view, once
from tests.faults.shapes import CONSUMERS, LANES, PARTITIONS, SINGLE, UP, VIEW
from tests.integration.consuming import Topic, saved
from tests.services import ServiceProcess, until

MEMBERS = 3
# Of a broker whose settings are ours; others take no less than six seconds.
SESSION_S, SESSION_GIVEN_S = 1.2, 6.0
SETTLE_S = 120.0


class Member(ServiceProcess):
    """A process with the three consumers in it."""

    def __init__(self, number: int, config: Settings, folder: Path, session_s: float) -> None:
        environ = {"WRITER": str(number), "FOLDER": str(folder), "SESSION_S": str(session_s)}
        super().__init__("tests.faults.program", config, "consumer_port", ESKIT_LOG_FORMAT="json", **environ)
        self.asleep = False

    def ended(self) -> bool:
        """Whether it is there no more."""
        return self._process is None or self._process.poll() is not None

    def up(self) -> bool:
        """Whether it knows what to do with a SIGTERM."""
        return UP in self.output()

    def sleep(self) -> None:
        """Stand still, as on a machine that hangs, until `wake`."""
        self.asleep = True
        self.signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Go on as if nothing had been."""
        self.signal(signal.SIGCONT)
        self.asleep = False


class Stage:
    """The log and the members; `told` counts what members have logged."""

    def __init__(self, config: Settings, topic: Topic, folder: Path, session_s: float) -> None:
        self.config = config
        self.folder = folder
        self.session_s = session_s
        self.flag = folder / "flag"
        self.last = 0
        self.members: list[Member] = []
        self.told: Counter[str] = Counter()
        self._topic = topic
        self._started = 0

    def publish(self, count: int) -> None:
        """So many events more; they are durable when this returns."""
        self._topic.add_positions(range(self.last + 1, self.last + count + 1))
        self.last += count

    async def publishing(self, count: int, every_s: float) -> None:
        """Publish without an end."""
        while True:
            await asyncio.to_thread(self.publish, count)
            await asyncio.sleep(every_s)

    def start(self) -> None:
        """One member more."""
        member = Member(self._started, self.config, self.folder, self.session_s)
        self._started += 1
        member.start()
        self.members.append(member)

    def kill(self, member: Member) -> None:
        """SIGKILL, and another in its place. Raises Fault when it has ended by itself."""
        self.look_at(member)
        self.members.remove(member)
        member.kill()
        self._note(member)
        self.start()

    def look_at(self, *members: Member) -> None:
        """None may have ended by itself."""
        for member in members:
            if member.ended():
                raise Fault(f"a member has ended by itself: {member.output()[-3000:]}")

    def effects(self, name: str) -> list[Effect]:
        """What a consumer has done, in order."""
        return of_view(self.config.database_url) if name == VIEW else of_file(self.folder / name)

    def written(self) -> int:
        """Bytes of effects outside of transactions: a look that costs little."""
        return sum((self.folder / name).stat().st_size for name in (SINGLE, LANES) if (self.folder / name).exists())

    async def settled(self) -> None:
        """Return when everything is committed that is in the log."""
        wanted = ends(self.last)

        async def committed() -> bool:
            self.look_at(*self.members)
            found = [await saved(self.config, name) for name in CONSUMERS]
            return all(
                (one.get(number, (None, None))[0] or 0) >= end for one in found for number, end in wanted.items()
            )

        await until(committed, SETTLE_S, lambda: self.members[0].output()[-2000:])

    def agrees(self, without: set[int] | None = None) -> None:
        """The effects are the log, but for these positions. Raises Fault."""
        wanted = set(range(1, self.last + 1)) - (without or set())
        for name in CONSUMERS:
            effects = self.effects(name)
            complete(name, effects, wanted)
            in_order(name, effects)
        once(VIEW, self.effects(VIEW))

    async def stop(self) -> None:
        """SIGTERM to all; each must end well. Raises Fault."""
        for member in self.members:
            await until(member.up)
            member.signal(signal.SIGTERM)
        for member in self.members:
            if await asyncio.to_thread(member.wait, 30) != 0:
                raise Fault(f"a member did not end well: {member.output()[-3000:]}")

    def close(self) -> None:
        """Whatever is left is killed."""
        for member in self.members:
            self._note(member)

    def _note(self, member: Member) -> None:
        output = member.output()
        for what in ("partitions claimed", "partitions lost", "fenced:", "fenced while beginning"):
            self.told[what] += output.count(f'"{what}')
        member.close()


@asynccontextmanager
async def staged(config: Settings, broker: KafkaBroker, folder: Path) -> AsyncIterator[Stage]:
    """The offsets service as a process of its own, a topic, no member yet."""
    service = ServiceProcess("offsets_svc", config, "offsets_port", ESKIT_LOG_LEVEL="warning").start()
    try:
        await service.ready()
        config = msgspec.structs.replace(config, offsets_url=service.url)
        session_s = SESSION_GIVEN_S if broker.kind == "given" else SESSION_S
        stage = Stage(config, Topic(config, broker, PARTITIONS), folder, session_s)
        try:
            yield stage
        finally:
            stage.close()
    finally:
        service.close()
