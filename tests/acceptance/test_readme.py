"""The README's calls and the programs of the first steps, word for word: they answer and print what the pages show."""

import re
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import msgspec

from tests.acceptance.conftest import RunningStack
from tests.services import ROOT, until

# What no two runs have in common; the README shows what one run had.
VOLATILE = {"event_id", "correlation_id", "occurred_on", "recorded_at", "created_at", "modified_at", "request_id"}
CALL = re.compile(r"```sh\n(curl .*?)\n```\n(?:```json\n(.*?)\n```)?", re.DOTALL)


def calls() -> list[tuple[str, str]]:
    return CALL.findall((ROOT / "README.md").read_text())


def without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "…" if key in VOLATILE and item else without_volatile(item) for key, item in value.items()}
    return [without_volatile(item) for item in value] if isinstance(value, list) else value


def on(stack: RunningStack, command: str) -> str:
    """The command with the addresses of this stack."""
    return command.replace("http://127.0.0.1:8001", stack.eventstore.url).replace(
        "http://127.0.0.1:8002", stack.crud.url
    )


def run(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


def test_the_readme_shows_every_call_with_its_answer() -> None:
    assert len(calls()) >= 5
    assert all(answer for _, answer in calls())


async def test_the_calls_answer_what_the_readme_shows(full_stack: RunningStack) -> None:
    for command, shown in calls():
        answer = msgspec.json.decode(run(on(full_stack, command)))
        assert without_volatile(answer) == without_volatile(msgspec.json.decode(shown)), command


FIRST_STEPS = re.compile(r"```python\n# (\w+\.py)\n(.*?)```.*?```text\n(.*?)```", re.DOTALL)


def programs() -> dict[str, tuple[str, str]]:
    page = (ROOT / "docs" / "howto" / "first-steps.md").read_text()
    return {name: (text, output) for name, text, output in FIRST_STEPS.findall(page)}


async def test_the_programs_of_the_first_steps_print_what_the_page_shows(
    full_stack: RunningStack, tmp_path: Path
) -> None:
    environ = full_stack.environ | {"ESKIT_CONSUMER_PORT": "0", "ESKIT_LOG_LEVEL": "warning"}
    assert len(programs()) == 3
    for name, (text, shown) in programs().items():
        program = tmp_path / name
        program.write_text(text)
        assert await printed(program, environ, shown, serves="serve(" in text) == shown


async def printed(program: Path, environ: dict[str, str], wanted: str, *, serves: bool) -> str:
    """What a program prints; one that serves is told to end when it has printed what is wanted."""
    output = program.with_suffix(".out")
    with output.open("w") as file:
        process = start(program, environ, file)
    try:
        await until(lambda: output.read_text() == wanted or process.poll() is not None)
        if serves:
            process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
    return output.read_text()


def start(program: Path, environ: dict[str, str], output: IO[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, program], env=environ, cwd=program.parent, stdout=output)
