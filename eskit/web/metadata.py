"""The limits of what clients say about an event beside its payload."""

from __future__ import annotations

from collections.abc import Mapping

from eskit.errors import InvalidRequest
from eskit.settings import Settings


def require_small(metadata: Mapping[str, str], at: str, settings: Settings, *, in_header: bool = False) -> None:
    """Raises InvalidRequest; its `field` is `at`, and the key behind it unless all of `at` is one header."""
    if len(metadata) > (limit := settings.max_metadata_keys):
        raise InvalidRequest(f"{at} has more than {limit} keys (ESKIT_MAX_METADATA_KEYS)", field=at, limit=limit)
    longest_key, longest_value = settings.max_metadata_key, settings.max_metadata_value
    for key, value in metadata.items():
        if not 1 <= len(key) <= longest_key:
            message = f"{at}: a key must have 1 to {longest_key} characters (ESKIT_MAX_METADATA_KEY)"
            limit = longest_key
        elif len(value) > longest_value:
            message = f"{at}: a value must have {longest_value} characters at most (ESKIT_MAX_METADATA_VALUE)"
            limit = longest_value
        else:
            continue
        raise InvalidRequest(message, field=at if in_header else f"{at}.{key[:longest_key]}", limit=limit)
