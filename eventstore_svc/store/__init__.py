"""The event store module: append by group commit, read by index. The CRUD service uses it too."""

from eventstore_svc.store.event_store import EventStore, Submitted, open_event_store, schema
from eventstore_svc.store.pages import ARRAY, MESSAGES, Filter, Form, Fresh, LogText
from eventstore_svc.store.reads import LAST_VERSION, Head, Page, StreamPage
from eventstore_svc.store.records import NEXT, NEXT_OF_EXISTING, Appended, NewEvent, Recorded
from eventstore_svc.store.streams import StreamInfo

__all__ = [
    "ARRAY",
    "LAST_VERSION",
    "MESSAGES",
    "NEXT",
    "NEXT_OF_EXISTING",
    "Appended",
    "EventStore",
    "Filter",
    "Form",
    "Fresh",
    "Head",
    "LogText",
    "NewEvent",
    "Page",
    "Recorded",
    "StreamInfo",
    "StreamPage",
    "Submitted",
    "open_event_store",
    "schema",
]
