"""The factory that wires every service; tests call it too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry

from eskit.settings import Settings
from eskit.web import health
from eskit.web.access_log import AccessLog
from eskit.web.bodies import SETTINGS
from eskit.web.guard import RequestMetrics, guarded, unknown
from eskit.web.operations import Operation
from eskit.web.reference import described_routes

Resource = Callable[[web.Application], AsyncIterator[None]]


def create_app(
    service: str,
    settings: Settings,
    *,
    routes: Sequence[web.RouteDef | Operation] = (),
    resources: Iterable[Resource] = (),
    checks: Mapping[str, health.Check] | None = None,
    description: str = "",
) -> web.Application:
    """An aiohttp application: its routes, health and metrics, and the resources that open at start and close at stop.

    `checks` names what /readyz tests: each is called with the application, and raises what is wrong. A service with a
    `description`, whose routes are operations then, describes itself at /openapi.json and /docs.
    """
    registry = CollectorRegistry()
    app = web.Application(client_max_size=settings.max_body_bytes)
    app[SETTINGS] = settings
    app[health.REGISTRY] = registry
    app[health.CHECKS] = dict(checks or {})
    app.cleanup_ctx.extend(resources)
    metrics = RequestMetrics(registry, service)
    # The last one takes what no other does, line ends in the path included.
    operations = [route for route in routes if isinstance(route, Operation)]
    known = [route.route() if isinstance(route, Operation) else route for route in routes]
    if description:
        known += described_routes(service, description, operations)
    every = [*known, *health.ROUTES, web.route("*", "/{path:(?s:.*)}", unknown)]
    access_log = AccessLog()
    app.add_routes([guarded(route, metrics, access_log) for route in every])
    return app
