"""The event store over REST: its calls and what they need."""

from __future__ import annotations

from aiohttp import web

from eskit.settings import Settings
from eskit.web.app import create_app
from eventstore_svc.api import append, events, log, stream_list, streams
from eventstore_svc.api.resources import STORE, store

OPERATIONS = (
    *append.OPERATIONS,
    *events.OPERATIONS,
    *stream_list.OPERATIONS,
    *streams.OPERATIONS,
    *log.OPERATIONS,
)


def eventstore_app(settings: Settings) -> web.Application:
    """The event store service."""
    return create_app(
        "eventstore",
        settings,
        routes=OPERATIONS,
        resources=[store],
        checks={"database": lambda app: app[STORE].check()},
    )
