"""`eskit consume`: run a consumer, for ever or until it has caught up."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tqdm import tqdm

from eskit import lifecycle, logs, settings
from eskit.cli.loading import load
from eskit.cli.saying import say
from eskit.consumer import Consumer
from eskit.consumer.process import consumer_app, work
from eskit.settings import Settings

LOOK_S = 0.1
DESCRIPTION = """\
Run a consumer until SIGINT or SIGTERM, with /livez, /readyz and /metrics on ESKIT_CONSUMER_PORT (8090; 0: any).
With --until head it ends when everything is done that is in the topic now, and shows how far it has come."""
EXAMPLE = "example: eskit consume shop.billing:billing"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "consume",
        help="run a consumer",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("consumer", help="MODULE:NAME, imported from the working directory too")
    command.add_argument("--until", choices=["head"], help="end when the topic's present end is reached")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run a consumer."""
    consumer = load(arguments.consumer)
    config = settings.load()
    logs.configure(config, consumer.name)
    if arguments.until is None:
        lifecycle.serve(consumer.name, config, "consumer_port", lambda s: consumer_app(consumer, s), work(consumer))
        return 0
    try:
        return asyncio.run(_catch_up(consumer, config))
    except KeyboardInterrupt:
        say("broken off; it goes on where it stopped")
        return 130


async def _catch_up(consumer: Consumer, config: Settings) -> int:
    running = asyncio.create_task(consumer.run(config, until="head"))
    with tqdm(desc=consumer.name, unit=" records", disable=None) as bar:
        while not running.done():
            if consumer.runtime is not None and (head := consumer.runtime.head).ends:
                bar.total = head.records
                bar.n = min(head.records, head.done(consumer.runtime.workers))
                bar.refresh()
            await asyncio.wait([running], timeout=LOOK_S)
        if bar.total:
            bar.n = bar.total
            bar.refresh()
    running.result()
    stats = consumer.stats
    say(f"{consumer.name} has caught up: {stats.handled} events handled, {stats.filtered} of no interest, "
        f"{stats.dead_lettered + stats.parked} set aside")  # fmt: skip
    sys.stderr.flush()
    return 0
