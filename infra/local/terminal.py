"""What the stack says on the terminal: one line at a time, from any thread, each with its speaker's name."""

import contextlib
import os
import sys
import threading

NAME_WIDTH = 10
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)

# Re-entrant, since a signal may come while a line is being written; that second line is then lost.
_lock = threading.RLock()


def write(line: str) -> None:
    """Print a line. A terminal that has gone away must not stop the stack from ending in good order."""
    with _lock, contextlib.suppress(OSError, ValueError, RuntimeError):
        print(line, flush=True)


def say(line: str) -> None:
    """A line of the stack's own."""
    write(f"{_name('eskit', 1)} {line}")


def shout(line: str) -> None:
    """Bad news."""
    write(f"{_name('eskit', 1)} {_coloured(f'!!! {line}', 31)}")


class Speaker:
    """Prints the lines of one service behind its name, each service in a colour of its own."""

    def __init__(self, name: str, number: int) -> None:
        self._prefix = _name(name, COLOURS[number % len(COLOURS)])

    def __call__(self, line: str) -> None:
        write(f"{self._prefix} {line}")


def _name(name: str, colour: int) -> str:
    return _coloured(f"{name:<{NAME_WIDTH}} |", colour)


def _coloured(text: str, colour: int) -> str:
    wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return f"\x1b[{colour}m{text}\x1b[0m" if wanted else text
