"""/livez, /readyz, /metrics: is the process alive, can it do its work, how has it done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from eskit import logs
from eskit.errors import EskitError
from eskit.web.answers import Answer
from eskit.web.bodies import json_response

log = logs.get(__name__)

Check = Callable[[web.Application], Awaitable[None]]
CHECKS: web.AppKey[dict[str, Check]] = web.AppKey("readiness_checks", dict)
REGISTRY: web.AppKey[CollectorRegistry] = web.AppKey("metrics_registry", CollectorRegistry)

CHECK_S = 4.0


async def livez(_: web.Request) -> Answer:
    """The process answers; nothing else is tested."""
    return json_response({"status": "alive"})


async def readyz(request: web.Request) -> Answer:
    """Test everything this service needs; 503 says what is wrong."""
    checks = request.app[CHECKS]
    said = await asyncio.gather(*(_outcome(check, request.app) for check in checks.values()))
    results = dict(zip(checks, said, strict=True))
    ready = all(result == "ok" for result in results.values())
    return json_response({"status": "ready" if ready else "not ready", "checks": results}, status=200 if ready else 503)


async def _outcome(check: Check, app: web.Application) -> str:
    try:
        async with asyncio.timeout(CHECK_S):
            await check(app)
    except EskitError as error:
        return error.detail
    except TimeoutError:
        return f"no answer within {CHECK_S:g} s"
    except Exception as error:
        log.exception("readiness check failed")
        return type(error).__name__
    return "ok"


async def metrics(request: web.Request) -> Answer:
    """Prometheus text format."""
    body = generate_latest(request.app[REGISTRY])
    return Answer(body, content_type=CONTENT_TYPE_LATEST)


ROUTES = (web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics))
