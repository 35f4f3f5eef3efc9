"""How long to wait before something that ended is started again."""

from dataclasses import dataclass

FIRST_S = 0.5
LONGEST_S = 30.0
HEALTHY_S = 60.0


@dataclass(frozen=True)
class Backoff:
    """Half a second, doubling up to half a minute; a minute of good health starts it anew."""

    next_s: float = FIRST_S

    def after(self, ran_for_s: float) -> tuple[float, "Backoff"]:
        """The pause now, and what comes the time after."""
        pause_s = FIRST_S if ran_for_s >= HEALTHY_S else self.next_s
        return pause_s, Backoff(min(pause_s * 2, LONGEST_S))
