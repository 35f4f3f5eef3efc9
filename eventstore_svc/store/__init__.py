"""The event store module: append by group commit, read by index. The CRUD service uses it too."""

from eventstore_svc.store.ends import Ends
from eventstore_svc.store.event_store import EventStore, Submitted, open_event_store, schema
from eventstore_svc.store.fetching import Fetcher, Rows
from eventstore_svc.store.filters import Filter, Fresh
from eventstore_svc.store.pages import LogEvents, one_line
from eventstore_svc.store.reads import LAST_VERSION, Head, Page, StreamPage
from eventstore_svc.store.records import NEXT, NEXT_OF_EXISTING, Appended, NewEvent, Recorded
from eventstore_svc.store.streams import StreamInfo

__all__ = [
    "LAST_VERSION",
    "NEXT",
    "NEXT_OF_EXISTING",
    "Appended",
    "Ends",
    "EventStore",
    "Fetcher",
    "Filter",
    "Fresh",
    "Head",
    "LogEvents",
    "NewEvent",
    "Page",
    "Recorded",
    "Rows",
    "StreamInfo",
    "StreamPage",
    "Submitted",
    "one_line",
    "open_event_store",
    "schema",
]
