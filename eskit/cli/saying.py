"""What a command tells the person at the terminal."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """One line, beside what the command prints for programs."""
    sys.stderr.write(f"eskit: {line}\n")
