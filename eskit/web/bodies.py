"""Reading and writing bodies: within limits, typed, with the field at fault named."""

from __future__ import annotations

import asyncio
import re
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from eskit.errors import InvalidRequest, MalformedRequest, RequestTimeout, TooLarge, UnsupportedMediaType
from eskit.settings import Settings
from eskit.web.answers import Answer

T = TypeVar("T")

SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)

_PATH = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$\.?(?P<path>.*)`)?$", re.DOTALL)
_encode = msgspec.json.Encoder().encode


def content_type(request: web.Request) -> str:
    """The media type of the body, without parameters."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


async def read(request: web.Request, *content_types: str) -> bytes:
    """The whole body; raises TooLarge, UnsupportedMediaType, RequestTimeout, MalformedRequest.

    A missing Content-Type counts as the first of `content_types`.
    """
    given = content_type(request)
    if given and given not in content_types:
        raise UnsupportedMediaType(
            f"Content-Type must be {' or '.join(content_types)}, not {given}", field="Content-Type"
        )
    settings = request.app[SETTINGS]
    try:
        if request.content.is_eof():  # it came with the headers, as small bodies do
            return await request.read()
        async with asyncio.timeout(settings.body_timeout_s):
            return await request.read()
    except TimeoutError:
        raise RequestTimeout(f"The body did not arrive within {settings.body_timeout_s:g} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise too_large("The body", settings) from None
    except (web.PayloadAccessError, ConnectionError):
        raise MalformedRequest("The body ended before its announced length") from None


def too_large(what: str, settings: Settings) -> TooLarge:
    """The error for a body, or a line of one, over its limit."""
    limit = settings.max_body_bytes
    return TooLarge(f"{what} has more than {limit} bytes (ESKIT_MAX_BODY_BYTES)", field="body", limit=limit)


def decode(body: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], at: str = "") -> T:
    """Typed JSON; raises InvalidRequest that names the field, or MalformedRequest. `at` goes before the path."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error, at) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequest(f"{at or 'The body'} is not JSON: {error}", field=at or None) from None
    except RecursionError:
        raise InvalidRequest(f"{at or 'The body'} is nested too deep", field=at or None) from None


def invalid(error: msgspec.ValidationError, at: str = "") -> InvalidRequest:
    """msgspec's message as ours, with the path as the field."""
    match = _PATH.match(str(error))
    what, path = (match["what"], match["path"] or "") if match else (str(error), "")
    if missing := re.search(r"(?:missing required|contains unknown) field `([^`]*)`", what):
        path = f"{path}.{missing[1]}" if path else missing[1]
    field = at + path if path.startswith("[") or not at or not path else f"{at}.{path}"
    return InvalidRequest(f"{field}: {what}" if field else what, field=field or None)


def json_response(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Any value of ours as JSON."""
    return Answer(_encode(value), status=status, content_type="application/json", headers=headers)
