"""The relay as a process: its work, its health, its metrics."""

from __future__ import annotations

from aiohttp import web

from eskit.settings import Settings
from eskit.web.app import create_app
from eskit.web.bodies import SETTINGS
from eskit.web.health import REGISTRY
from eventstore_svc.relay.relay import Relay
from eventstore_svc.relay.status import Status

STATUS: web.AppKey[Status] = web.AppKey("relay_status", Status)


def relay_app(settings: Settings) -> web.Application:
    """Health and metrics of a relay."""
    settings.require("database_url", "kafka_bootstrap")
    app = create_app("relay", settings, checks={"relay": lambda app: app[STATUS].check()})
    app[STATUS] = Status(app[REGISTRY])
    return app


async def work(app: web.Application) -> None:
    """Relay until cancelled."""
    await Relay(app[SETTINGS], app[STATUS]).run()
