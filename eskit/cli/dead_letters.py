"""`eskit dead-letters`: what consumers have set aside, to be looked at, handled again, or thrown away."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable

from eskit import settings
from eskit.cli import letter_text, letters_found
from eskit.cli.saying import say
from eskit.client.letters import DeadLetters
from eskit.errors import NotFound, SettingsError
from eskit.letters import MAX_KEYS, MAX_LETTERS, DiscardLetters, RetryLetters

Run = Callable[[DeadLetters, argparse.Namespace], Awaitable[int]]

# A person waits: what is away for longer is said.
PATIENCE_S = 5.0
WHICH = "a key (an originator's id; '' has the unreadable records), or TOPIC/PARTITION/OFFSET for one letter"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its four."""
    text = "look at what consumers have set aside; have it handled again, or throw it away"
    group = commands.add_parser("dead-letters", help=text, description=f"{text[0].upper()}{text[1:]}.")
    four = group.add_subparsers(required=True, metavar="COMMAND")

    one = _command(four, "list", _list, "the keys that wait, each with why; without CONSUMER, which consumers have any",
                   "eskit dead-letters list billing")  # fmt: skip
    one.add_argument("consumer", nargs="?", metavar="CONSUMER")
    _add_limit(one, 50, "keys")
    _add_json(one)

    one = _command(four, "show", _show, "letters with their records, in order",
                   "eskit dead-letters show billing order-7")  # fmt: skip
    one.add_argument("consumer", metavar="CONSUMER")
    one.add_argument("which", metavar="WHICH", help=WHICH)
    _add_limit(one, 10, "letters")
    _add_json(one)

    one = _command(four, "retry", _retry, "have all letters of keys handled again, in order; then they flow as before",
                   "eskit dead-letters retry billing order-7 order-12")  # fmt: skip
    one.add_argument("consumer", metavar="CONSUMER")
    one.add_argument("keys", nargs="*", metavar="KEY")
    one.add_argument("--all", action="store_true", help="all keys of the consumer")
    _add_json(one)

    one = _command(four, "discard", _discard, "throw letters away: those of a key that failed, one, or all of the key; "
                   "what waits behind them is then handled",
                   "eskit dead-letters discard billing order-7 --reason 'a test order'")  # fmt: skip
    one.add_argument("consumer", metavar="CONSUMER")
    one.add_argument("which", metavar="WHICH", help=WHICH)
    some = one.add_mutually_exclusive_group()
    some.add_argument("--offset", type=int, action="append", default=[], metavar="N", help="only this one; repeatable")
    some.add_argument("--all", action="store_true", help="those that wait behind the failed ones, too")
    one.add_argument("--yes", action="store_true", help="do not ask")
    one.add_argument("--by", default=_login(), help="who does it, for the record (%(default)s)")
    one.add_argument("--reason", help="why, for the record")
    _add_json(one)


def _command(
    four: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: Run, text: str, example: str
) -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    one = four.add_parser(name, help=text, description=text, epilog=f"example:\n  {example}", formatter_class=raw)
    one.add_argument("--url", help="the offsets service; default: ESKIT_OFFSETS_URL")
    one.set_defaults(run=lambda arguments: _run(run, arguments))
    return one


def _add_limit(one: argparse.ArgumentParser, default: int, what: str) -> None:
    one.add_argument("--limit", type=int, default=default, metavar="N", help=f"most {what} shown (%(default)s)")


def _add_json(one: argparse.ArgumentParser) -> None:
    one.add_argument("--json", action="store_true", help="one JSON document, for programs")


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container: a user without a name
        return None


def _run(run: Run, arguments: argparse.Namespace) -> int:
    if getattr(arguments, "limit", 1) < 1:
        raise SettingsError("--limit must be at least 1")

    async def connected() -> int:
        url = arguments.url or settings.load().offsets_url
        async with DeadLetters(url, patience_s=PATIENCE_S) as client:
            return await run(client, arguments)

    try:
        return asyncio.run(connected())
    except BrokenPipeError:
        # Whoever read this has seen enough; nor shall Python complain of it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


async def _list(client: DeadLetters, arguments: argparse.Namespace) -> int:
    if arguments.consumer is None:
        consumers = await client.consumers()
        _print(letter_text.as_json(consumers) if arguments.json else letter_text.consumers(consumers))
        return 0
    found, more = await letters_found.keys(client, arguments.consumer, arguments.limit)
    _print(letter_text.as_json({"keys": found, "more": more}) if arguments.json else letter_text.keys(found))
    _tell_of_more(arguments, more)
    return 0


async def _show(client: DeadLetters, arguments: argparse.Namespace) -> int:
    which = await letters_found.which(client, arguments.consumer, arguments.which)
    found, more = await letters_found.letters(client, arguments.consumer, which, arguments.limit)
    if arguments.json:
        _print(letter_text.as_json({"letters": [letter_text.with_event(kept) for kept in found], "more": more}))
    else:
        _print("\n".join(letter_text.letter(kept) for kept in found))
    _tell_of_more(arguments, more)
    return 0


async def _retry(client: DeadLetters, arguments: argparse.Namespace) -> int:
    if arguments.all == bool(arguments.keys):
        raise SettingsError("name the keys to be handled again, or say --all")
    wanted = [RetryLetters(all=True)] if arguments.all else [
        RetryLetters(keys=arguments.keys[first : first + MAX_KEYS])
        for first in range(0, len(arguments.keys), MAX_KEYS)
    ]  # fmt: skip
    count = sum([await client.retry(arguments.consumer, some) for some in wanted])
    if not count and not arguments.all:
        raise NotFound(f"none of these keys waits at {arguments.consumer}")
    text = f"{letter_text.number(count, 'key')} to be handled again, as soon as the partition's owner looks: a second"
    _print(letter_text.as_json({"keys": count}) if arguments.json else f"{text}\n")
    return 0


async def _discard(client: DeadLetters, arguments: argparse.Namespace) -> int:
    wanted, question = await _to_discard(client, arguments)
    if not arguments.yes and not _agreed(question):
        say("nothing was thrown away")
        return 1
    count = await client.discard(arguments.consumer, wanted)
    text = f"{letter_text.number(count, 'letter')} thrown away; what waited behind is handled now"
    _print(letter_text.as_json({"letters": count}) if arguments.json else f"{text}\n")
    return 0


async def _to_discard(client: DeadLetters, arguments: argparse.Namespace) -> tuple[DiscardLetters, str]:
    """What is to be thrown away, and the question whether it shall be."""
    which = await letters_found.which(client, arguments.consumer, arguments.which)
    offsets = arguments.offset
    if which.offset is not None:
        if offsets or arguments.all:
            raise SettingsError("--offset and --all go with a key, not with one letter")
        offsets = [which.offset]
    elif offsets and not which.key:
        raise SettingsError("unreadable records have one key in all partitions: name each as TOPIC/PARTITION/OFFSET")
    failed = None if offsets or arguments.all else True
    found, more = await letters_found.letters(
        client, arguments.consumer, which, MAX_LETTERS, records=False, failed=failed
    )
    gone = [kept for kept in found if not offsets or kept.offset in offsets]
    if not gone and not more:
        raise NotFound(f"{arguments.consumer} has no letter of {which.key!r} at these offsets")
    wanted = DiscardLetters(
        which.key,
        topic=which.topic,
        partition=which.partition,
        offsets=offsets,
        all=arguments.all,
        by=arguments.by,
        reason=arguments.reason,
    )
    return wanted, letter_text.question(gone, more=more)


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("discard asks before it throws away; where nobody can answer, say --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell_of_more(arguments: argparse.Namespace, more: bool) -> None:
    if more and not arguments.json:
        say(f"there are more than these; --limit {arguments.limit * 10} shows more")


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
