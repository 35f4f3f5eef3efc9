"""A consumer as a process of its own: health and metrics over HTTP beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from eskit import lifecycle
from eskit.consumer.consumer import Consumer
from eskit.settings import Settings
from eskit.web.app import create_app
from eskit.web.bodies import SETTINGS
from eskit.web.health import REGISTRY


def serve(consumer: Consumer, port_setting: str = "consumer_port", description: str = "") -> int:
    """Run a consumer until SIGINT or SIGTERM, with /livez, /readyz and /metrics on a port; the process's exit code."""
    text = description or f"ESKIT consumer {consumer.name}."
    return lifecycle.run(consumer.name, text, port_setting, partial(consumer_app, consumer), work(consumer))


def consumer_app(consumer: Consumer, settings: Settings) -> web.Application:
    """The application that answers for a consumer."""
    return create_app(consumer.name, settings, checks={"consumer": lambda _: consumer.check()})


def work(consumer: Consumer) -> Callable[[web.Application], Awaitable[None]]:
    """The consumer itself, as the work of such an application's process."""

    async def run(app: web.Application) -> None:
        await consumer.run(app[SETTINGS], app[REGISTRY])

    return run
