"""The factory that wires every service; tests call it too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry

from eskit.settings import Settings
from eskit.web import health
from eskit.web.bodies import SETTINGS
from eskit.web.middleware import RequestMetrics, middleware

Resource = Callable[[web.Application], AsyncIterator[None]]


def create_app(
    service: str,
    settings: Settings,
    *,
    routes: Iterable[web.AbstractRouteDef] = (),
    resources: Iterable[Resource] = (),
    checks: Mapping[str, health.Check] | None = None,
) -> web.Application:
    """An aiohttp application: its routes, health and metrics, and the resources that open at start and close at stop.

    `checks` names what /readyz tests: each is called with the application, and raises what is wrong.
    """
    registry = CollectorRegistry()
    app = web.Application(
        middlewares=[middleware(RequestMetrics(registry, service))], client_max_size=settings.max_body_bytes
    )
    app[SETTINGS] = settings
    app[health.REGISTRY] = registry
    app[health.CHECKS] = dict(checks or {})
    app.cleanup_ctx.extend(resources)
    app.add_routes([*routes, *health.ROUTES])
    return app
