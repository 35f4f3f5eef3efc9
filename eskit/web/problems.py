"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from typing import Any

import msgspec

from eskit.errors import EskitError, MethodNotAllowed, Unavailable
from eskit.web.answers import Answer

TYPE = "https://eskit.dev/problems/"


def problem(error: EskitError) -> dict[str, Any]:
    """The members of the document: type, title, status, detail, code, and what the error adds."""
    document = {"type": TYPE + error.code, "title": error.title, "status": error.status, "code": error.code,
                "detail": error.detail}  # fmt: skip
    if error.field is not None:
        document["field"] = error.field
    return {key: _printable(value) for key, value in (document | error.extra).items()}


def _printable(value: Any) -> Any:
    # Headers that are not UTF-8 come with halves of surrogate pairs in them, which no answer can carry.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def problem_response(error: EskitError, request_id: str) -> Answer:
    """The answer to a request that failed."""
    body = msgspec.json.encode(problem(error) | {"request_id": request_id})
    headers = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = str(error.extra.get("allowed", ""))
    return Answer(body, status=error.status, content_type="application/problem+json", headers=headers)
