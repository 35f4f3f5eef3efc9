"""The consumer runtime: events of the application log, in order within a partition, each at least once.

from eskit.consumer import Consumer, serve

billing = Consumer("billing")

@billing.on("User.Created", "User.Updated")
async def charge(event: Event) -> None: ...

sys.exit(serve(billing))
"""

from eskit.consumer.config import Start, Tuning
from eskit.consumer.consumer import Consumer
from eskit.consumer.delivery.routes import Record
from eskit.consumer.errors import OffsetOutOfRange
from eskit.consumer.process import consumer_app, serve, work

__all__ = ["Consumer", "OffsetOutOfRange", "Record", "Start", "Tuning", "consumer_app", "serve", "work"]
