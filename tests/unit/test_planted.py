"""The planted bugs can be planted: what each takes out still stands in the code, once."""

from __future__ import annotations

import pytest

from tests.planted.bugs import BUGS, Bug
from tests.services import ROOT


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_what_it_takes_out_stands_there_once(bug: Bug) -> None:
    for path, text, _ in bug.edits:
        assert (ROOT / path).read_text(encoding="utf-8").count(text) == 1, path
