"""The example of the CRUD service's reference page."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from crud_svc.app import crud_app
from eskit.settings import Settings
from tests.services import running


async def test_the_example_of_the_reference_page_runs(config: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "crud.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    async with running(crud_app(config), config, "crud_port") as url:
        source = textwrap.indent(code.replace("http://127.0.0.1:8002", url), "    ")
        names: dict[str, Any] = {}
        exec(f"async def example():\n{source}", names)  # noqa: S102 - our own page
        await names["example"]()
    said = capsys.readouterr().out
    assert "{'name': 'Ann', 'city': 'Bern'}" in said
    assert "2 Updated [FieldChange(path='/city', old=UNSET, new='Bern')]" in said
