"""What goes with a write beside its document: the version it is based on, and what is said about its event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from eskit.ids import uuid7

Version = int | Literal["*"]
"""The version a write is based on; `*`: whatever it is at."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a write says about its event. `key`: made up for each write unless given; the same key is stored once."""

    key: str | None = None
    user: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    metadata: Mapping[str, str] | None = None
    occurred_on: datetime | None = None

    def headers(self) -> dict[str, str]:
        """As the service takes them."""
        given = {
            "Idempotency-Key": self.key or str(uuid7()),
            "Eskit-User": self.user,
            "Eskit-Correlation-Id": self.correlation_id,
            "Eskit-Causation-Id": self.causation_id,
            "Eskit-Metadata": None if self.metadata is None else json.dumps(dict(self.metadata)),
            "Eskit-Occurred-On": None if self.occurred_on is None else self.occurred_on.isoformat(),
        }
        return {name: value for name, value in given.items() if value is not None}


NOTHING_SAID = About()


def match(version: Version) -> dict[str, str]:
    """The precondition of a write that is based on a version."""
    return {"If-Match": version if version == "*" else f'"{version}"'}
