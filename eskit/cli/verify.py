"""`eskit verify`: what services keep beside the log, compared with the log. Each brings its own comparison."""

from __future__ import annotations

import argparse
from importlib.metadata import entry_points

GROUP = "eskit.verify"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command: a service names what it verifies, and the function that does it, as an entry point."""
    known = sorted(found.name for found in entry_points(group=GROUP))
    command = commands.add_parser(
        "verify", help="compare what is kept beside the log with the log", description=f"{run.__doc__}"
    )
    command.add_argument("what", choices=known, help="what to verify")
    command.add_argument("arguments", nargs=argparse.REMAINDER, help="of that; --help tells")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare what a service keeps beside the log with the log; 0, or 1 where something differs."""
    (found,) = entry_points(group=GROUP, name=arguments.what)
    return int(found.load()(arguments.arguments))
