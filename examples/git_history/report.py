"""What the example says at its end: a table, and the first mismatches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from examples.git_history.compare import Comparison
from examples.git_history.importer import Imported
from examples.git_history.tree import Summary

SHOWN = 20


@dataclass(frozen=True)
class Report:
    """The outcome of an import (None when nothing was imported) and of a comparison."""

    commit: str
    commits: int
    events: int
    imported: Imported | None
    consumed: Summary
    comparisons: list[Comparison]
    seed: int

    @property
    def mismatches(self) -> int:
        """Answers of the stack that are not git's."""
        return sum(len(comparison.mismatches) for comparison in self.comparisons)

    def lines(self) -> Iterator[str]:
        """The report, for a terminal."""
        rows = dict(self._rows())
        width = max(map(len, rows))
        yield from (f"{name:<{width}}  {value}" for name, value in rows.items())
        wrong = [mismatch for comparison in self.comparisons for mismatch in comparison.mismatches]
        for mismatch in wrong[:SHOWN]:
            yield f"  {mismatch}"
        if len(wrong) > SHOWN:
            yield f"  … and {len(wrong) - SHOWN} more"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "commits", f"{self.commits:,}, up to {self.commit[:12]}"
        yield "events", f"{self.events:,}"
        if self.imported is not None:
            done = self.imported
            before = f", {done.before:,} commits were there before" if done.before else ""
            yield "imported", f"{_rate(done.events, done.seconds)}{before}"
        yield "consumed", _rate(self.consumed.events, self.consumed.seconds)
        for comparison in self.comparisons:
            name = f"{comparison.source} and git"
            yield name, f"{comparison.compared:,} compared, {len(comparison.mismatches):,} differ"
        yield "seed", f"{self.seed} (of the versions that were replayed)"
        yield "mismatches", f"{self.mismatches:,}"


def _rate(events: int, seconds: float) -> str:
    each = f", {events / seconds:,.0f} events/s" if events and seconds > 0 else ""
    return f"{events:,} events in {seconds:.1f} s{each}"
