"""The consumer pages: their programs run as far as declarations go, and no call is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eskit.consumer import Consumer
from eskit.settings import Settings
from offsets_svc.app import offsets_app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "howto" / name for name in ("consumer.md", "exactly-once.md")]
PROGRAMS = [
    program
    for page in PAGES
    for program in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    if not program.startswith("# test_")
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_declare_consumers(program: str) -> None:
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(program, "consumer.md", "exec", dont_inherit=True), names)  # noqa: S102 - that is the test
    assert [value for value in names.values() if isinstance(value, Consumer)]


def test_the_reference_has_every_call() -> None:
    page = (DOCS / "reference" / "offsets.md").read_text()
    app = offsets_app(Settings(database_url="postgresql://localhost"))
    calls = {
        (route.method, route.resource.canonical.removeprefix("/v1/consumers"))
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource is not None and route.resource.canonical.startswith("/v1")
    }
    assert len(calls) > 15
    # The first table leaves /v1/consumers out.
    missing = [
        (method, path)
        for method, path in sorted(calls)
        if f"`{method} {path}`".replace(" `", "`") not in page and f"`{method} /v1/consumers{path}`" not in page
    ]
    assert missing == []
