"""The SDK: typed calls to the services; what a service raised is raised here again, as the same class."""

from eskit.client.about import About
from eskit.client.entities import Entities
from eskit.client.event_types import NewEvent
from eskit.client.eventstore import EventStore
from eskit.client.http import Connections
from eskit.client.letters import DeadLetters
from eskit.client.lists import Entity, Page, Query
from eskit.client.offsets import Offsets
from eskit.client.types import Types

__all__ = [
    "About",
    "Connections",
    "DeadLetters",
    "Entities",
    "Entity",
    "EventStore",
    "NewEvent",
    "Offsets",
    "Page",
    "Query",
    "Types",
]
