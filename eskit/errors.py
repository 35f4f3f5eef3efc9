"""The one error tree: every failure a caller can meet, with its HTTP status and its stable code.

The web layer turns any of these into RFC 9457 problem+json; the client turns the problem back into the same class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class EskitError(Exception):
    """Something went wrong on our side. `detail` is a sentence for a person: what happened and what to do.

    `field` names the input at fault (`events[0].originator.id`); `extra` holds further members of the problem document.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, field: str | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.extra = extra


class SettingsError(EskitError):
    """A setting is missing or wrong; the message names the environment variable."""

    code, title = "settings", "Wrong setting"


class TopicMismatch(EskitError):
    """The Kafka topic is not the one that Postgres has pinned; going on could lose or double events."""

    code, title = "topic-mismatch", "Topic does not fit the log"


class DocumentMismatch(EskitError):
    """A stored document does not fit the class that a program reads it with; nothing is wrong with the service."""

    code, title = "document-mismatch", "Document does not fit the class"


class MalformedRequest(EskitError):
    """The request cannot be read at all: not JSON, not UTF-8, half a body."""

    status, code, title = 400, "malformed-request", "Malformed request"


class RequestTimeout(EskitError):
    """The client did not send the head of its request, or its body, in time."""

    status, code, title = 408, "request-timeout", "Request took too long to arrive"


class NotFound(EskitError):
    """No such route, stream, entity, consumer."""

    status, code, title = 404, "not-found", "Not found"


class MethodNotAllowed(EskitError):
    """The route exists, with other methods."""

    status, code, title = 405, "method-not-allowed", "Method not allowed"


class Conflict(EskitError):
    """The request cannot be done in the present state."""

    status, code, title = 409, "conflict", "Conflict"


class VersionConflict(Conflict):
    """The stream is at another version than the append expected: `extra` has `expected` and `actual`."""

    code, title = "version-conflict", "Version conflict"


class EventIdReused(Conflict):
    """The event id is already in the log, with other content or as part of another append."""

    code, title = "event-id-reused", "Event id reused"


class AlreadyExists(Conflict):
    """A create met something that exists: `extra` has its `version`."""

    code, title = "already-exists", "Already exists"


class OffsetRegression(Conflict):
    """The offset is lower than the stored one: `extra` has `stored`."""

    code, title = "offset-regression", "Offset would go back"


class Fenced(Conflict):
    """Somebody else has claimed the partition since: `extra` has the present `epoch`."""

    code, title = "fenced", "Fenced by a newer claim"


class TopicChanged(Conflict):
    """The stored offset counts in another life of the topic: `extra` has the ids `stored` and `given`. Reset it."""

    code, title = "topic-changed", "The topic was made anew"


class OffsetMismatch(Conflict):
    """The stored offset is not the expected one: `extra` has `stored`."""

    code, title = "offset-mismatch", "Another offset is stored"


class ConsumerActive(Conflict):
    """Somebody consumes under this name: `extra` has the `members`. Stop them, or use `force`."""

    code, title = "consumer-active", "The consumer is active"


class IncompatibleSchema(Conflict):
    """A new schema breaks its type's compatibility mode: `extra` has the `incompatibilities`, place by place."""

    code, title = "incompatible-schema", "Schema is not compatible"


class Deleted(EskitError):
    """The entity was deleted: `extra` has the `version` of its deletion."""

    status, code, title = 410, "deleted", "Deleted"


class PreconditionFailed(EskitError):
    """If-Match or If-None-Match does not hold: `extra` has the current `version`."""

    status, code, title = 412, "precondition-failed", "Precondition failed"


class TooLarge(EskitError):
    """A body, a line or an event over its limit: `field` says which, `extra` has the `limit` in bytes."""

    status, code, title = 413, "too-large", "Too large"


class UriTooLong(EskitError):
    """The request line over its limit: `field` is `request-line`, `extra` has the `limit` in bytes."""

    status, code, title = 414, "uri-too-long", "URI too long"


class UnsupportedMediaType(EskitError):
    """A content type or content encoding that this route does not take."""

    status, code, title = 415, "unsupported-media-type", "Unsupported media type"


class InvalidRequest(EskitError):
    """The request can be read, but a field is wrong: `field` names it. `extra` has the `limit` it is over, if any."""

    status, code, title = 422, "invalid-request", "Invalid request"


class PatchFailed(InvalidRequest):
    """A JSON Patch cannot be applied: a `test` failed or a path does not exist; `field` names the operation."""

    code, title = "patch-failed", "Patch cannot be applied"


class IndexNeeded(InvalidRequest):
    """A list would have to look at too many entities: declare the index in `extra["index"]`, or narrow the filters."""

    code, title = "index-needed", "Index needed"


class SchemaViolated(InvalidRequest):
    """A document is not as its type's schema wants it: `extra` has the `violations`, and how many `more` there are."""

    code, title = "schema-violated", "Schema violated"


class PreconditionRequired(EskitError):
    """A write without If-Match or If-None-Match."""

    status, code, title = 428, "precondition-required", "Precondition required"


class HeaderTooLarge(EskitError):
    """A header over its limit, or too many of them: `field` is `headers`, `extra` has the `limit`."""

    status, code, title = 431, "header-too-large", "Header too large"


class Unavailable(EskitError):
    """Something this service needs is away; nothing was stored. Try again after `retry_after_s` seconds."""

    status, code, title = 503, "unavailable", "Unavailable"
    retry_after_s: ClassVar[int] = 1


class SchemaMismatch(Unavailable):
    """The database schema is not the one this code was written for: migrate, or use another program."""

    code, title = "schema-mismatch", "Database schema does not fit"


class Overloaded(Unavailable):
    """More requests wait than can be answered in time; nothing was stored."""

    code, title = "overloaded", "Overloaded"


class OutcomeUnknown(Unavailable):
    """The database went away between the request and its answer: stored or not, nobody knows.

    Send the same request again with the event ids in `extra["event_ids"]`: it is stored once.
    """

    code, title = "outcome-unknown", "Outcome unknown"


def every_error(root: type[EskitError] = EskitError) -> Iterator[type[EskitError]]:
    """The root and every class below it, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)


# What a proxy between says of a service that is away, restarting or too busy.
_AWAY = frozenset({429, 502, 503, 504})


def error_for(status: int, code: str) -> type[EskitError]:
    """The class that was raised on the other side of the wire; the root for a code from a newer service."""
    for error in every_error():
        if error.code == code:
            return error
    return Unavailable if status in _AWAY else EskitError
