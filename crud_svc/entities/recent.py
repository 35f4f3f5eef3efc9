"""States that this process has made lately: most updates of an entity need no read before them.

Nothing rests on their being current. A write that one of them lets pass is appended at its next version, which the log
refuses when somebody else was faster; a write that one of them refuses is looked at again with the state in the log.
"""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic
from typing import NamedTuple

from crud_svc.documents.state import State
from crud_svc.entities.target import Target

# As JSON; values in Python take several times as much.
MAX_BYTES = 16 * 1024 * 1024
# What an entity takes beside its document: millions of empty ones must not be kept.
ENTRY_BYTES = 1000
# After so many writes without a read the next one reads: whoever reads sees to it that there is a snapshot.
MAX_WRITES = 50
# Nor may it be older, however often it is written: after a fail-over to a replica that lacked the last commits, another
# history may have taken the same versions.
MAX_S = 3.0


class _Entry(NamedTuple):
    state: State
    size: int
    writes: int
    since_s: float  # when there was none, and the state was read


class Recent:
    """The last states by entity, within a bound of bytes."""

    def __init__(self) -> None:
        """Empty."""
        self._entries: OrderedDict[Target, _Entry] = OrderedDict()
        self._bytes = 0

    def get(self, target: Target) -> State | None:
        """The state, if it is here and may be used once more."""
        entry = self._entries.get(target)
        return entry.state if entry is not None and self._usable(entry) else None

    def _usable(self, entry: _Entry) -> bool:
        return entry.writes < MAX_WRITES and monotonic() - entry.since_s < MAX_S

    def put(self, target: Target, state: State, size: int) -> None:
        """The state after a write; `size` of its document as JSON, in bytes."""
        before = self._entries.pop(target, None)
        writes, since_s = 0, monotonic()
        if before is not None and self._usable(before):
            writes, since_s = before.writes + 1, before.since_s
        size += ENTRY_BYTES
        self._bytes += size - (before.size if before is not None else 0)
        self._entries[target] = _Entry(state, size, writes, since_s)
        while self._bytes > MAX_BYTES:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.size

    def drop(self, target: Target) -> None:
        """It is not current."""
        entry = self._entries.pop(target, None)
        self._bytes -= entry.size if entry is not None else 0
