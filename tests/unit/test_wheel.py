"""The wheel holds what an installed service reads: contracts and SQL, and nothing that only a checkout needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = {"eskit", "eventstore_svc", "crud_svc", "offsets_svc", "consumers"}


def test_wheel_contents(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == SHIPPED
    for source in (ROOT / "schemas").glob("*.avsc"):
        assert f"eskit/schemas/{source.name}" in names
    for source in [path for folder in SHIPPED for path in (ROOT / folder).rglob("*.sql")]:
        assert str(source.relative_to(ROOT)) in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_contracts_are_read_from_an_installed_wheel(tmp_path: Path) -> None:
    """Unpacked as pip does it, away from the checkout."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        "import eskit.kafka.record as r, eskit.postgres.migrations as m\n"
        "print(r.__file__, r.SCHEMA['name'], m.Schema('eventstore', 'eventstore_svc').version)"
    )
    environ = {"PYTHONPATH": str(site), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    where, name, version = done.stdout.split()
    assert Path(where).is_relative_to(site)
    assert name == "eskit.ApplicationLogEntry"
    assert int(version) >= 4
