"""The consumer runtime: events of the application log, in order for each originator.

from eskit.consumer import Consumer, Event

billing = Consumer("billing")

@billing.on("User.Created", "User.Updated")
async def charge(event: Event) -> None: ...

`eskit consume module:billing` runs it.
"""

from eskit.consumer.config import Start, Tuning
from eskit.consumer.consumer import Consumer
from eskit.consumer.delivery.policy import DeadLetter, Retry, Stop
from eskit.consumer.delivery.routes import Record
from eskit.consumer.errors import HandlerStopped, OffsetOutOfRange
from eskit.consumer.process import consumer_app, serve, work
from eskit.consumer.transactions.target import Target
from eskit.events import Event
from eskit.kafka.seeking import Position

__all__ = [
    "Consumer",
    "DeadLetter",
    "Event",
    "HandlerStopped",
    "OffsetOutOfRange",
    "Position",
    "Record",
    "Retry",
    "Start",
    "Stop",
    "Target",
    "Tuning",
    "consumer_app",
    "serve",
    "work",
]
