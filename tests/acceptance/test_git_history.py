"""The git example on the whole stack: imported, killed half way, gone on, agreed with git; and tampering is found."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eskit.client import Connections, Entities, EventStore
from eskit.client.event_types import Wanted
from examples.git_history.bookmark import kept_in, load
from examples.git_history.history import entity_id
from examples.git_history.repository import Repository
from examples.git_history.sample import make
from tests.acceptance.conftest import RunningStack
from tests.services import ROOT, until

TIMEOUT_S = 120


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "examples.git_history", *map(str, arguments)]


def run(stack: RunningStack, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=stack.environ, cwd=ROOT, capture_output=True, text=True, check=False,
                          timeout=TIMEOUT_S)  # fmt: skip


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    path = tmp_path_factory.mktemp("git") / "sample"
    make(path, 250)
    return Repository(path)


def events_of(repository: Repository) -> int:
    return sum(len(commit.changes) for commit in repository.log("main"))


def start(stack: RunningStack, repository: Repository) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command("import", repository.path), env=stack.environ, cwd=ROOT)


async def position(stack: RunningStack) -> int:
    async with EventStore(stack.eventstore.url) as events:
        return (await events.head()).position


async def kill_half_way(stack: RunningStack, repository: Repository) -> int:
    """Start an import, kill it when some of it is done; how many events there are."""
    importing = start(stack, repository)
    try:
        async with Connections(stack.crud.url) as crud:

            async def some_is_done() -> bool:
                mark = await load(kept_in(crud), "git.File")
                return (mark is not None and mark.done is not None) or importing.poll() is not None

            await until(some_is_done)
    finally:
        importing.send_signal(signal.SIGKILL)
        importing.wait()
    assert importing.returncode == -signal.SIGKILL
    return await position(stack)


async def test_an_import_killed_half_way_goes_on_and_agrees_with_git(
    full_stack: RunningStack, repository: Repository
) -> None:
    events = events_of(repository)
    assert await kill_half_way(full_stack, repository) < events

    refused = run(full_stack, "verify", repository.path)
    assert refused.returncode == 2
    assert "begun and not finished" in refused.stderr

    imported = run(full_stack, "import", repository.path)
    assert imported.returncode == 0, said(imported)
    assert re.search(r"^mismatches +0$", imported.stdout, re.MULTILINE), said(imported)
    assert "commits were there before" in imported.stdout
    async with EventStore(full_stack.eventstore.url) as client:
        page = await client.log(1, limit=1000, wanted=Wanted(selector="git.File.*"))
        assert page.next is not None
        assert len(page.events) == events < 1000  # nothing lost, nothing twice

    again = run(full_stack, "import", repository.path)
    assert (again.returncode, await position(full_stack)) == (0, page.next - 1), said(again)


async def test_tampering_is_found_and_nothing_else(full_stack: RunningStack, repository: Repository) -> None:
    assert run(full_stack, "import", repository.path, "--seed", "1").returncode == 0
    changed, created = entity_id(max(repository.tree("main"))), "not in git"
    async with Entities(full_stack.crud.url, "git.File") as entities:
        await entities.patch(changed, {"mode": "100755"}, version="*")
        await entities.create({}, ident=created)

    found = run(full_stack, "verify", repository.path)
    assert found.returncode == 1, said(found)
    assert re.search(r"^topic and git .* 2 differ$", found.stdout, re.MULTILINE), said(found)
    assert re.search(r"^REST and git .* 1 differ$", found.stdout, re.MULTILINE), said(found)
    assert re.search(r"^replay and git .* 200 compared, 0 differ$", found.stdout, re.MULTILINE), said(found)
    shown = re.findall(r"^  (\w+): '(.*)'$", found.stdout, re.MULTILINE)
    # A search finds it, too, where it looks into that directory.
    shown = [(source, ident) for source, ident in shown if source != "searches"]
    assert sorted(shown) == sorted([("topic", changed), ("topic", created), ("REST", changed)])


async def test_two_repositories_need_two_types(
    full_stack: RunningStack, repository: Repository, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    make(other, 30, seed=2)
    assert run(full_stack, "import", other).returncode == 0
    refused = run(full_stack, "import", repository.path)
    assert refused.returncode == 2
    assert "another repository's history" in refused.stderr
    done = run(full_stack, "import", repository.path, "--entity-type", "git.Second")
    assert done.returncode == 0, said(done)
    assert run(full_stack, "verify", other).returncode == 0


def test_without_a_stack_it_says_what_to_do(repository: Repository) -> None:
    for more, sentence in [
        ({}, "ESKIT_KAFKA_BOOTSTRAP (or KAFKA_BOOTSTRAP) is not set"),
        ({"KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "the CRUD service at http://127.0.0.1:1 does not answer: is `make run`"),
    ]:
        environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "ESKIT_CRUD_URL": "http://127.0.0.1:1", **more}
        done = subprocess.run(command("import", repository.path), env=environ, cwd=ROOT, capture_output=True, text=True,
                              check=False, timeout=TIMEOUT_S)  # fmt: skip
        assert done.returncode == 2
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_repository_without_commits_is_a_usage_error(tmp_path: Path) -> None:
    done = subprocess.run(command("import", tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not a git repository with a commit HEAD" in done.stderr
