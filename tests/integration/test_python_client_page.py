"""The program and the test of the page on the Python client, word for word: it prints what is shown there."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from crud_svc.app import crud_app
from eskit.settings import Settings
from tests.services import ROOT, running

PAGE = (ROOT / "docs" / "howto" / "python-client.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


async def test_the_program_prints_what_the_page_shows(config: Settings, tmp_path: Path) -> None:
    async with running(crud_app(config), config, "crud_port") as url:
        program = tmp_path / "accounts.py"
        program.write_text(FILES["accounts.py"].replace("http://127.0.0.1:8002", url) + "\nasyncio.run(main())\n")
        program.write_text("import asyncio\n" + program.read_text())
        done = await asyncio.create_subprocess_exec(sys.executable, str(program), stdout=asyncio.subprocess.PIPE)
        out, _ = await done.communicate()
    (shown,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert out.decode() == shown


def test_the_pages_test_passes_and_would_not_for_a_wrong_program(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert run(tmp_path).returncode == 0
    (tmp_path / "accounts.py").write_text(FILES["accounts.py"].replace("account.balance < amount", "False"))
    assert run(tmp_path).returncode == 1


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "asyncio_mode=auto",
        "test_accounts.py",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
