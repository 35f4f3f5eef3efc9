"""The reference pages against the code: each setting, each error, each metric has its row, and no row is of the past.

A failing test prints the rows that are missing: put them where they belong in the page.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eskit import settings
from eskit.consumer.metrics import COUNTERS, HISTOGRAMS
from eskit.errors import EskitError, every_error

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PACKAGES = ("eskit", "eventstore_svc", "crud_svc", "offsets_svc", "consumers")
KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram", "Summary": "summary",
         "CounterMetricFamily": "counter", "GaugeMetricFamily": "gauge"}  # fmt: skip


def shown(default: Any) -> str:
    if default in ("", {}):
        return "not set"
    return f"`{json.dumps(default).strip(chr(34))}`"


def settings_rows() -> Iterator[str]:
    for name, field in settings.fields().items():
        also = f", or `{field['also']}`" if field["also"] else ""
        yield f"| `{settings.variable(name)}`{also} | {shown(field['default'])} | {field['description']} |"


def errors_rows() -> Iterator[str]:
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for error in every_error(EskitError):
        if error.__module__.partition(".")[0] in PACKAGES:
            text = " ".join((inspect.getdoc(error) or "").partition("\n\n")[0].split())
            yield f"| `{error.code}` | {error.status} | `{error.__name__}` | {text} |"


def metrics_rows() -> Iterator[str]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if row := metric_row(node):
                    yield row
    for name, text in COUNTERS.items():  # these names are put together
        yield f"| `eskit_consumer_{name}_total` | counter | {text} |"
    for name, text in HISTOGRAMS.items():
        yield f"| `eskit_consumer_{name}` | histogram | {text} |"


def metric_row(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    texts = [a.value for a in node.args[:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if called not in KINDS or len(texts) != 2:
        return None
    kind = KINDS[called]
    name = f"{texts[0].removesuffix('_total')}_total" if kind == "counter" else texts[0]
    return f"| `{name}` | {kind} | {texts[1]} |"


PAGES = {"settings": settings_rows, "errors": errors_rows, "metrics": metrics_rows}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_says_what_the_code_says(page: str) -> None:
    written = re.findall(r"^\| `.*\|$", (REFERENCE / f"{page}.md").read_text(), re.MULTILINE)
    wanted = list(dict.fromkeys(PAGES[page]()))
    assert wanted, "nothing found in the code"
    missing = [row for row in wanted if row not in written]
    stale = [row for row in written if row not in wanted]
    assert (missing, stale) == ([], []), "\n".join(["", "missing:", *missing, "of the past:", *stale])
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"], ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_guarantees_name_tests_that_exist() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text()
    files = (ROOT / "tests").rglob("test_*.py")
    defined = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    promises = re.split(r"^## P\d", page, flags=re.MULTILINE)[1:]
    assert len(promises) == 8
    for promise in promises:
        named = set(re.findall(r"`(test_\w+)`", promise))
        assert named
        assert named <= defined


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    decisions = [page for page in pages if page.startswith("decisions/")]
    assert [page for page in pages if page not in {"index.md", *decisions} and f"]({page})" not in index] == []
