"""What can stop a consumer."""

from __future__ import annotations

from eskit.errors import EskitError


class OffsetOutOfRange(EskitError):
    """The saved offset is not in the topic (any more, or yet): going on anywhere else would skip or repeat events."""

    code, title = "offset-out-of-range", "Saved offset is not in the topic"


class InDoubt(Exception):
    """A transaction has ended without an answer: waited out, whatever the policy says, until the view tells."""


class HandlerStopped(EskitError):
    """A handler's error, for which the policy says Stop: the event is not done, nothing after it began."""

    code, title = "handler-stopped", "A handler's error stops the consumer"
