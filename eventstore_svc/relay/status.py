"""What a relay says of itself: readiness and metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from eskit.errors import EskitError, Unavailable
from eventstore_svc.relay.cursor import Cursor
from eventstore_svc.relay.publisher import Publisher

STALLED_S = 5.0


class Status:
    """Starting, standby, active, or failed with a reason."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the relay's metrics."""
        self._problem: str | None = "starting"
        self._publisher: Publisher | None = None
        self._sent = Counter("eskit_relay_sent", "Events handed to the producer.", registry=registry)
        self._restarts = Counter("eskit_relay_restarts", "New starts, by reason.", ["reason"], registry=registry)
        self._active = Gauge("eskit_relay_active", "1 for the active relay, 0 for a standby.", registry=registry)
        self._position = Gauge(
            "eskit_relay_published_position", "Everything up to here is on the topic.", registry=registry
        )
        self._outstanding = Gauge("eskit_relay_outstanding", "Records on their way to Kafka.", registry=registry)

    def standby(self, holder: str) -> None:
        """Another relay is active; waiting is what a standby is ready for."""
        self._problem = None
        self.holder = holder

    def active(self, cursor: Cursor, publisher: Publisher) -> None:
        """This relay publishes."""
        self._problem, self._publisher = None, publisher
        self._active.set(1)
        self._position.set_function(lambda: cursor.published)
        self._outstanding.set_function(lambda: cursor.outstanding)

    def passive(self) -> None:
        """A term of office has ended."""
        self._publisher = None
        self._active.set(0)
        self._outstanding.set_function(lambda: 0)

    def failed(self, error: Exception) -> None:
        """It starts again after this."""
        self._problem = error.detail if isinstance(error, EskitError) else str(error)
        self._restarts.labels(error.code if isinstance(error, EskitError) else type(error).__name__).inc()

    def sent(self, events: int) -> None:
        """Count what was handed to the producer."""
        if events:
            self._sent.inc(events)

    async def check(self) -> None:
        """Readiness: raises Unavailable that says what keeps events from the topic."""
        if self._problem is not None:
            raise Unavailable(self._problem)
        if self._publisher is not None and self._publisher.stalled_s > STALLED_S:
            raise Unavailable(
                f"Kafka has confirmed nothing for {self._publisher.stalled_s:.0f} s; events wait in Postgres"
            )
