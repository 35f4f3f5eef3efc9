"""The factory that wires every service; tests call it too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry

from eskit.settings import Settings
from eskit.web import health
from eskit.web.bodies import SETTINGS
from eskit.web.guard import RequestMetrics, guarded, unknown
from eskit.web.operations import Operation

Resource = Callable[[web.Application], AsyncIterator[None]]


def create_app(
    service: str,
    settings: Settings,
    *,
    routes: Iterable[web.RouteDef | Operation] = (),
    resources: Iterable[Resource] = (),
    checks: Mapping[str, health.Check] | None = None,
) -> web.Application:
    """An aiohttp application: its routes, health and metrics, and the resources that open at start and close at stop.

    `checks` names what /readyz tests: each is called with the application, and raises what is wrong.
    """
    registry = CollectorRegistry()
    app = web.Application(client_max_size=settings.max_body_bytes)
    app[SETTINGS] = settings
    app[health.REGISTRY] = registry
    app[health.CHECKS] = dict(checks or {})
    app.cleanup_ctx.extend(resources)
    metrics = RequestMetrics(registry, service)
    # The last one takes what no other does.
    known = [route.route() if isinstance(route, Operation) else route for route in routes]
    every = [*known, *health.ROUTES, web.route("*", "/{path:.*}", unknown)]
    app.add_routes([guarded(route, metrics) for route in every])
    return app
