"""A line for each request that failed on our side or was slow; at the level debug for every request."""

from __future__ import annotations

import logging
import time

import structlog
from aiohttp import web

from eskit import logs
from eskit.web.context import request_id

log = logs.get(__name__)
_debug = logging.getLogger(__name__)  # asked on every request, so without structlog's proxy

SLOW_S = 1.0
WARNINGS_EACH_S = 20


class AccessLog:
    """Writes the lines. Of warnings some a second: under overload they would cost more than the requests."""

    def __init__(self) -> None:
        self._second = 0
        self._written = 0
        self._left_out = 0

    def write(self, request: web.Request, status: int, seconds: float) -> None:
        """One request; `left_out` in a line says how many lines before it were not written."""
        if status >= 500 or seconds > SLOW_S:
            if self._too_many():
                return
            left_out = {"left_out": self._left_out} if self._left_out else {}
            self._left_out = 0
            write = log.warning
        elif _debug.isEnabledFor(logging.DEBUG):
            left_out, write = {}, log.debug
        else:
            return
        ms = round(seconds * 1000, 1)
        with structlog.contextvars.bound_contextvars(request_id=request_id(request)):
            write("request", method=request.method, path=request.path[:300], status=status, ms=ms, **left_out)

    def _too_many(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._written = second, 0
        self._written += 1
        if self._written > WARNINGS_EACH_S:
            self._left_out += 1
            return True
        return False
