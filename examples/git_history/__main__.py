"""A git repository's history in ESKIT: every file an entity, every change an event, and at the end git has to agree."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from eskit import logs, names, settings
from eskit.client import Entities
from eskit.errors import EskitError
from eskit.settings import Settings
from examples.git_history import bookmark as bookmarks
from examples.git_history import sample, topic, tree
from examples.git_history.compare import ask_git, compare_replay, compare_rest, compare_topic
from examples.git_history.history import NotGitError
from examples.git_history.importer import Imported, Importer
from examples.git_history.listings import compare_past, compare_searches, declare_indexes
from examples.git_history.report import Report
from examples.git_history.repository import Repository
from examples.git_history.stack import Stack, StackError, open_stack
from examples.git_history.tree import Output

CHECKOUT = Path(__file__).parents[2]
DIFFERS, UNUSABLE = 1, 2

Run = Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]
Commands = Any  # argparse keeps the class of what add_subparsers answers to itself

EPILOG = """\
The services of a running stack are found by the environment: `make run` in one terminal, `make demo` in another.
Exit codes: 0 git and the stack agree; 1 they differ; 2 the command could not be carried out.
"""


def _entity_type(text: str) -> str:
    try:
        return names.entity_type(text)
    except EskitError as error:
        raise argparse.ArgumentTypeError(error.detail) from None


TYPE_OPTION: dict[str, Any] = {
    "type": _entity_type,
    "default": "git.File",
    "help": "type of the entities, another one for each repository (default: %(default)s)",
}


async def run_import(config: Settings, arguments: argparse.Namespace) -> int:
    """Import a repository's history, or what is new of it, then compare the stack with git."""
    repository = Repository(arguments.path)
    head = repository.commit()
    async with open_stack(config) as stack:
        await declare_indexes(stack.crud, arguments.entity_type)
        with tqdm(total=len(repository.first_parents(head)), unit=" commits", disable=None) as bar:
            imported = await Importer(stack.crud, arguments.entity_type).run(repository, head, bar.update)
        return await _compare(stack, repository, head, arguments, imported)


async def run_verify(config: Settings, arguments: argparse.Namespace) -> int:
    """Compare the stack with git, at the commit up to which the repository was imported."""
    repository = Repository(arguments.path)
    commits = repository.first_parents(repository.commit())
    async with open_stack(config) as stack:
        mark = await bookmarks.load(bookmarks.kept_in(stack.crud), arguments.entity_type)
        if mark is None or mark.done is None or not mark.complete:
            state = "nothing is imported" if mark is None else "an import was begun and not finished"
            raise StackError(f"{state} under the type {arguments.entity_type}: run `import {arguments.path}` first")
        newer = len(commits) - bookmarks.position_in(mark, arguments.entity_type, commits)
        if newer:
            print(f"the last {newer} commits are not imported yet; compared without them")
        return await _compare(stack, repository, mark.done, arguments, None)


async def _compare(
    stack: Stack, repository: Repository, commit: str, arguments: argparse.Namespace, imported: Imported | None
) -> int:
    kind = arguments.entity_type
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed  # noqa: S311 - chooses what to test
    head = (await stack.events.head()).position
    consumed = await _tree_process(kind, head)
    entities = Entities(stack.crud, kind)
    truth = await asyncio.to_thread(ask_git, repository, commit, seed)
    comparisons = [
        compare_topic(truth, consumed.entries, consumed.summary.complaints),
        await compare_rest(truth, entities),
        await compare_replay(truth, entities, repository),
        await compare_searches(truth, entities, seed),
        await compare_past(entities, repository, await _checkpoints(stack, kind)),
    ]
    commits = len(repository.first_parents(commit))
    report = Report(commit, commits, truth.events, imported, consumed.summary, comparisons, seed)
    print("\n".join(report.lines()))
    return DIFFERS if report.mismatches else 0


async def _checkpoints(stack: Stack, entity_type: str) -> dict[str, int]:
    mark = await bookmarks.load(bookmarks.kept_in(stack.crud), entity_type)
    return {} if mark is None else mark.checkpoints


async def _tree_process(entity_type: str, until: int) -> Output:
    """The tree as another process has it from the topic."""
    command = (
        sys.executable,
        "-m",
        "examples.git_history",
        "tree",
        "--entity-type",
        entity_type,
        "--until",
        str(until),
    )
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=CHECKOUT)
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise StackError("the tree program ended without a tree (its own message is above)")
    return tree.read(out.splitlines())


async def run_tree(config: Settings, arguments: argparse.Namespace) -> int:
    """Fold the topic's events into the tree and print it: a JSON line for each entity, then one that sums up."""
    found, seconds = await topic.fold(config.require("kafka_bootstrap"), arguments.entity_type, arguments.until)
    sys.stdout.buffer.writelines(tree.written(found, seconds))
    return 0


async def run_sample(_: Settings, arguments: argparse.Namespace) -> int:
    """Make a bare repository to try the import on, with every kind of change and of name that git allows."""
    sample.make(arguments.path, arguments.commits, arguments.seed)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m examples.git_history",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_import_and_verify(commands)
    command = _add(commands, "tree", run_tree)
    command.add_argument("--entity-type", **TYPE_OPTION)
    command.add_argument("--until", type=int, help="position of the log to read to (default: its end as of now)")
    command = _add(commands, "sample", run_sample)
    command.add_argument("path", type=Path, help="a folder that does not exist yet")
    command.add_argument("--commits", type=int, default=1000, help="default: %(default)s")
    command.add_argument("--seed", type=int, default=1, help="the same seed, the same repository (default: 1)")
    return top


def _add_import_and_verify(commands: Commands) -> None:
    for name, run in (("import", run_import), ("verify", run_verify)):
        command = _add(commands, name, run)
        command.add_argument("path", type=Path, nargs="?", default=CHECKOUT, help="default: this checkout")
        command.add_argument("--entity-type", **TYPE_OPTION)
        command.add_argument("--seed", type=int, help="of the versions to replay (default: another one every time)")


def _add(commands: Commands, name: str, run: Run) -> argparse.ArgumentParser:
    said = run.__doc__ or ""
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=said.partition(":")[0].rstrip("."), description=said
    )
    command.set_defaults(run=run)
    return command


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments = parser().parse_args(argv)
    try:
        config = settings.load()
        quiet = msgspec.structs.replace(config, log_level="warning") if config.log_level == "info" else config
        logs.configure(quiet, "git-history")
        run: Run = arguments.run
        return asyncio.run(run(config, arguments))
    except (NotGitError, StackError) as error:
        print(f"git-history: {error}", file=sys.stderr)
    except EskitError as error:
        print(f"git-history: {error.detail}", file=sys.stderr)
    except KeyboardInterrupt:
        print("git-history: interrupted; started again, an import goes on where it was", file=sys.stderr)
    return UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
