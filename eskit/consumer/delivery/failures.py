"""What is kept of an error: its type, its text, and a hash by which equal causes are found together."""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path
from typing import NamedTuple

from eskit.letters import MAX_ERROR

RUNTIME = str(Path(__file__).parents[1])


class Failure(NamedTuple):
    """Why an event was set aside, and after how many attempts."""

    error_type: str
    error: str
    traceback_hash: str  # 16 hex digits, the same for the same lines of code whatever the event
    attempts: int


def failure(error: BaseException, attempts: int) -> Failure:
    """Of an exception."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    # Not the runtime's own: a letter that is tried again comes another way.
    found = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(RUNTIME)]
    frames = [f"{f.filename}:{f.name}:{f.lineno}" for f in found]
    digest = hashlib.sha256("\n".join([kind, *frames]).encode()).hexdigest()[:16]
    # Half of a surrogate pair and NUL are no text that a database would take.
    text = str(error).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return Failure(kind, text[:MAX_ERROR], digest, attempts)
