"""The event store over REST: its calls and what they need."""

from __future__ import annotations

from aiohttp import web

from eskit.settings import Settings
from eskit.web.app import create_app
from eventstore_svc.api import append, batch, events, log, stream_list, streams, tail
from eventstore_svc.api.resources import STORE, feed, stop_readers, store

OPERATIONS = (
    *append.OPERATIONS,
    *batch.OPERATIONS,
    *events.OPERATIONS,
    *stream_list.OPERATIONS,
    *streams.OPERATIONS,
    *log.OPERATIONS,
    *tail.OPERATIONS,
)


DESCRIPTION = "Append events, read them by stream or in the order of the whole log, and wait for new ones."


def eventstore_app(settings: Settings) -> web.Application:
    """The event store service."""
    app = create_app(
        "eventstore",
        settings,
        routes=OPERATIONS,
        resources=[store, feed],
        checks={"database": lambda app: app[STORE].check()},
        description=DESCRIPTION,
    )
    app.on_shutdown.append(stop_readers)
    return app
