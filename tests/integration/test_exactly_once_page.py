"""The view and the test of the page on exactly once, word for word: the test passes, and fails for a wrong handler."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.services import ROOT

FILE = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(folder: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_projection.py"]
    environ = {
        **os.environ,
        "DATABASE_URL": database_url,
        "ESKIT_DATABASE_URL": database_url,
        "PYTHONPATH": str(folder),
    }
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)


def test_the_pages_test_passes_and_would_not_for_a_wrong_handler(database_url: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "howto" / "exactly-once.md").read_text()
    files = dict(FILE.findall(page))
    assert sorted(files) == ["projection.py", "test_projection.py"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = run(tmp_path, database_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout

    (tmp_path / "projection.py").write_text(files["projection.py"].replace("spent.orders + 1", "spent.orders"))
    assert run(tmp_path, database_url).returncode == 1
