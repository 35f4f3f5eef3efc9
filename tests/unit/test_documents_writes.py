"""Writes: the event that is stored says, when it is read again, what was answered; else nothing is stored."""

import json
from uuid import UUID

import pytest

from crud_svc.documents.exact_json import encode
from crud_svc.documents.state import State, updated
from crud_svc.entities import writes
from crud_svc.entities.target import About, Target
from crud_svc.entities.writes import Decision, Given
from eskit.errors import EskitError
from eskit.web.etags import Tags

ANY = Tags(None)
TARGET = Target("User", "u")
ABOUT = About(UUID(int=1), id_is_given=False, metadata=b"{}", occurred_on_us=None)
STATE = State(version=1, document={"a": 1})


@pytest.mark.parametrize(
    "unfit",
    [
        b'{"merge_patch":{"a":3}}',
        b'{"merge_patch":{"a":2},"more":1}',
        b'{"json_patch":[{"op":"remove","path":"/nope"}]}',
        b'{"json_patch":[{"op":"replace","path":"","value":[]}]}',
    ],
)
def test_an_event_that_would_not_say_the_change_is_replaced_by_the_whole_document(
    unfit: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes, "difference", lambda *_: unfit)
    decision = writes.merge(TARGET, ABOUT, ANY, {"a": 2}, 1000).decide(STATE)
    assert isinstance(decision, Decision)
    assert json.loads(decision.payload) == {"json_patch": [{"op": "replace", "path": "", "value": {"a": 2}}]}
    assert updated({"a": 1}, decision.payload) == {"a": 2}


def test_a_change_that_no_event_can_say_is_refused() -> None:
    document: dict[str, object] = {}
    for _ in range(150):
        document = {"a": document}
    with pytest.raises(EskitError, match="nothing is changed"):
        writes.replace(TARGET, ABOUT, ANY, Given(encode(document), document)).decide(STATE)
