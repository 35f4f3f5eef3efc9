"""Keeps the parts of the stack running: starts again what ended, stops everything in order, leaves nothing behind."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn, Protocol

from infra.local.backoff import Backoff
from infra.local.terminal import say, shout

WATCH_EVERY_S = 0.2
# `timeout` and some terminals signal us and make at once, and make passes its own on: that is one wish, not two.
ONE_WISH_S = 0.5
STOP_WITHIN_S = 10.0
SHORTEST_STOP_S = 0.3


class Part(Protocol):
    """A server or a service."""

    def start(self) -> None:
        """May wait until it answers; raises when it does not."""

    def alive(self) -> bool: ...

    def stop(self, *, grace_s: float) -> None: ...

    def kill(self) -> None: ...


@dataclass
class Watched:
    """A part, and what is known of its health."""

    name: str
    part: Part
    stop_s: float
    can_restart: bool = True
    backoff: Backoff = field(default_factory=Backoff)
    started_at: float = 0.0
    restart_at: float | None = None

    def start(self) -> None:
        self.started_at, self.restart_at = time.monotonic(), None
        self.part.start()


class BrokenError(Exception):
    """Something ended that cannot be started again."""


class Supervisor:
    """Owns the parts from their start to their end. All of its methods are for the main thread."""

    def __init__(self) -> None:
        self.parts: list[Watched] = []
        self._stop_asked_at: float | None = None

    def listen_to_signals(self) -> None:
        """From now on Ctrl-C, SIGTERM and a closed terminal raise KeyboardInterrupt, once."""
        # SIGINT also where a script that put us in the background had it ignored: who sends it means it.
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup keeps us running
            signal.signal(signal.SIGHUP, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._stop_asked_at is None:
            self._stop_asked_at = now
            raise KeyboardInterrupt
        if number == signal.SIGINT and now - self._stop_asked_at > ONE_WISH_S:
            self._kill_all()

    def add(self, watched: Watched) -> None:
        """Take over a part that has been started already."""
        watched.started_at = time.monotonic()
        self.parts.append(watched)

    def start(self, watched: Watched) -> None:
        self.parts.append(watched)
        watched.start()

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Restart what ends, until told otherwise; BrokenError for what cannot be restarted."""
        while not until():
            for watched in self.parts:
                self._look_after(watched)
            time.sleep(WATCH_EVERY_S)

    def _look_after(self, watched: Watched) -> None:
        now = time.monotonic()
        if watched.restart_at is not None:
            if now >= watched.restart_at:
                self._restart(watched)
            return
        if not watched.part.alive():
            self._plan_restart(watched, now)

    def _plan_restart(self, watched: Watched, now: float) -> None:
        ran_for_s = now - watched.started_at
        code = getattr(watched.part, "exit_code", None)
        how = "" if code is None else f" with exit code {code}" if code >= 0 else f" by signal {-code}"
        if not watched.can_restart:
            raise BrokenError(f"{watched.name} ended{how}, and what it held is lost")
        pause_s, watched.backoff = watched.backoff.after(ran_for_s)
        watched.restart_at = now + pause_s
        shout(f"{watched.name} ended{how} after {ran_for_s:.1f} s; it is started again in {pause_s:g} s")

    def _restart(self, watched: Watched) -> None:
        try:
            watched.start()
        except Exception as error:  # noqa: BLE001  whatever kept it from starting: say so, try again later
            shout(f"{watched.name} did not start: {error}")
            self._plan_restart(watched, time.monotonic())
        else:
            say(f"{watched.name} was started again")

    def stop_all(self, order: Sequence[str], *, within_s: float = STOP_WITHIN_S) -> None:
        """End the parts, those named in `order` first and in that order, then the others, the last one started first.

        The others are the servers: the time they may take is set aside, the named ones share the rest.
        """
        named = sorted((part for part in self.parts if part.name in order), key=lambda part: order.index(part.name))
        others = [part for part in reversed(self.parts) if part.name not in order]
        deadline = time.monotonic() + within_s - sum(part.stop_s for part in others)
        for watched in named:
            remaining_s = deadline - time.monotonic()
            watched.part.stop(grace_s=max(SHORTEST_STOP_S, min(watched.stop_s, remaining_s)))
        for watched in others:
            watched.part.stop(grace_s=watched.stop_s)
        self.parts.clear()

    def _kill_all(self) -> NoReturn:
        shout("killed at once")
        for watched in self.parts:
            watched.part.kill()
        raise SystemExit(130)
