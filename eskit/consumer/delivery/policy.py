"""What becomes of an event whose handler raised: again, aside, or the end of the consumer. Pure: no I/O, no clock."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import psycopg

from eskit.consumer.config import Tuning
from eskit.consumer.errors import InDoubt
from eskit.errors import Unavailable
from eskit.kafka.record import UndecodableRecord

# The longest pause is reached after a dozen doublings; a power beyond that could overflow.
MAX_DOUBLINGS = 30


class DeadLetter(Exception):
    """Set the event aside, and whatever comes later of its originator; all others flow on."""


class Stop(Exception):
    """End the consumer with this event not done."""


class Retry(Exception):
    """Call the handler again, after a pause that doubles each time, with jitter.

    `attempts`: calls in all, None: without an end. Pauses from `least_s` to `most_s` seconds; None: the consumer's
    tuning. `then`: what follows the last attempt.
    """

    def __init__(
        self,
        reason: str = "",
        *,
        attempts: int | None = 5,
        least_s: float | None = None,
        most_s: float | None = None,
        then: type[DeadLetter | Stop] = DeadLetter,
    ) -> None:
        super().__init__(reason)
        if attempts is not None and attempts < 1:
            raise ValueError("attempts must be at least 1, or None for no end")
        self.attempts = attempts
        self.least_s = least_s
        self.most_s = most_s
        self.then = then


Decision = Retry | DeadLetter | Stop
OnError = Mapping[type[BaseException], Decision | type[Decision]]

# What passes by itself is waited out; anything else is most likely the event's, and trying longer would not mend it.
WAITED_OUT = Retry(attempts=None)
DEFAULTS: OnError = {
    ConnectionError: WAITED_OUT,
    TimeoutError: WAITED_OUT,
    aiohttp.ClientConnectionError: WAITED_OUT,
    psycopg.OperationalError: WAITED_OUT,
    Unavailable: WAITED_OUT,
    UndecodableRecord: DeadLetter,
    BaseException: Retry(),
}


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds, then call the handler again."""

    seconds: float


# What a view in memory leaves out is missing from it for good, and nobody would know.
IN_MEMORY: OnError = {BaseException: WAITED_OUT, UndecodableRecord: Stop}


class Policy:
    """The decision for each exception: its own, when a handler raises one, else that of its nearest class."""

    @classmethod
    def of(cls, on_error: OnError, tuning: Tuning, *, in_memory: bool) -> Policy:
        """A consumer's."""
        table = {**IN_MEMORY, **on_error} if in_memory else on_error
        return cls(table, tuning.retry_least_s, tuning.retry_most_s, aside=not in_memory)

    def __init__(self, on_error: OnError, least_s: float, most_s: float, *, aside: bool = True) -> None:
        """`on_error` stands before the defaults; `least_s`, `most_s`: pauses of a Retry that names none.

        `aside`: whether there is a place for what is set aside; if not, DeadLetter means Stop.
        """
        self._table = {**DEFAULTS, **on_error}
        self._aside = aside
        self._pauses = (least_s, most_s)

    def decide(self, error: BaseException, attempt: int) -> Pause | DeadLetter | Stop:
        """What to do after the so-manieth attempt (1, 2, 3 …) has raised this."""
        decision = self._decision(error)
        if isinstance(decision, Retry) and decision.attempts is not None and attempt >= decision.attempts:
            decision = decision.then()
        if isinstance(decision, DeadLetter) and not self._aside:
            return Stop()
        if not isinstance(decision, Retry):
            return decision
        least_s = self._pauses[0] if decision.least_s is None else decision.least_s
        most_s = self._pauses[1] if decision.most_s is None else decision.most_s
        pause_s = min(least_s * 2.0 ** min(attempt - 1, MAX_DOUBLINGS), most_s)
        # Jitter: partitions that fail for one reason must not all come back at one moment.
        return Pause(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - keeps no secret

    def _decision(self, error: BaseException) -> Decision:
        if isinstance(error, InDoubt):
            return WAITED_OUT
        if isinstance(error, Retry | DeadLetter | Stop):
            return error
        found = next(self._table[kind] for kind in type(error).__mro__ if kind in self._table)
        return found() if isinstance(found, type) else found

    def waits_out(self, error: BaseException) -> bool:
        """Whether the handler is called again without an end, because the cause is not the event's and will pass."""
        decision = self._decision(error)
        return isinstance(decision, Retry) and decision.attempts is None
