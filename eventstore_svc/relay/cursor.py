"""Where a relay goes on, and how far it has come: decisions without I/O."""

from __future__ import annotations

from collections import deque

from eskit.errors import TopicMismatch


class Cursor:
    """What of the log is on the topic, partition by partition.

    Within a partition the topic holds a prefix of the log: an idempotent producer leaves no gaps. So the last record of
    each partition says exactly where to go on; below `floor` everything is known to be published.
    """

    def __init__(self, tails: list[int], floor: int, head: int) -> None:
        """`tails`: position of the last record of each partition, 0 for none. `head`: of the log, read after them.

        Raises TopicMismatch when the topic is ahead of the log.
        """
        if max(tails) > head:
            message = (
                f"the topic holds position {max(tails)}, the log ends at {head}: the database was restored to an older "
                "point, or the topic is another log's; see docs/howto/topic-and-log-disagree.md"
            )
            raise TopicMismatch(message)
        self._published = [max(tail, floor) for tail in tails]  # what needs no sending, of each partition
        self.ends = list(tails)  # position of the last record of each partition that is known to be on the topic
        self._in_flight: list[deque[tuple[int, int]]] = [deque() for _ in tails]  # position, bytes
        self.read = min(self._published)  # everything up to here has been read from the log
        self.trimmed = floor  # everything up to here has left the outbox
        self.outstanding = 0
        self.outstanding_bytes = 0

    def wants(self, partition: int, position: int) -> bool:
        """Whether this event must be sent: it is not on the topic yet."""
        return position > self._published[partition]

    def sent(self, partition: int, position: int, size_bytes: int = 0) -> None:
        """The event was handed to the producer."""
        self._in_flight[partition].append((position, size_bytes))
        self.outstanding += 1
        self.outstanding_bytes += size_bytes

    def delivered(self, partition: int) -> None:
        """The oldest event on its way to this partition has arrived; they arrive in order."""
        self.ends[partition], size_bytes = self._in_flight[partition].popleft()
        self.outstanding -= 1
        self.outstanding_bytes -= size_bytes

    @property
    def published(self) -> int:
        """Everything up to this position is on the topic."""
        oldest = [flight[0][0] for flight in self._in_flight if flight]
        return min(oldest) - 1 if oldest else self.read
