"""States of lately: bounded by what they take, used so many times, gone when they are not current."""

from __future__ import annotations

import pytest

from crud_svc.documents.state import State
from crud_svc.entities import recent as module
from crud_svc.entities.recent import ENTRY_BYTES, MAX_BYTES, MAX_S, MAX_WRITES, Recent
from crud_svc.entities.target import Target

STATE = State(version=1, document={})


def names(count: int) -> list[Target]:
    return [Target("User", str(n)) for n in range(count)]


def test_empty_documents_take_room_too() -> None:
    recent = Recent()
    most = MAX_BYTES // ENTRY_BYTES
    for target in names(most + 100):
        recent.put(target, STATE, 2)
    kept = [target for target in names(most + 100) if recent.get(target) is not None]
    assert most - 100 < len(kept) <= most
    assert kept == names(most + 100)[-len(kept) :], "the oldest go first"


def test_one_that_is_larger_than_all_the_room_is_not_kept_nor_any_debt_of_it() -> None:
    recent = Recent()
    recent.put(Target("User", "large"), STATE, MAX_BYTES)
    assert recent.get(Target("User", "large")) is None
    recent.put(Target("User", "next"), STATE, MAX_BYTES - 2 * ENTRY_BYTES)
    assert recent.get(Target("User", "next")) is STATE
    recent.drop(Target("User", "next"))
    recent.drop(Target("User", "next"))
    recent.put(Target("User", "other"), STATE, MAX_BYTES - 2 * ENTRY_BYTES)
    recent.put(Target("User", "other"), STATE, MAX_BYTES - 2 * ENTRY_BYTES)
    assert recent.get(Target("User", "other")) is STATE


def test_after_so_many_writes_one_reads() -> None:
    recent, (target,) = Recent(), names(1)
    used = 0
    for _ in range(3 * (MAX_WRITES + 1)):
        used += recent.get(target) is not None
        recent.put(target, STATE, 2)
    assert used == 3 * MAX_WRITES


def test_none_is_older_than_its_time_however_often_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    recent, (target,) = Recent(), names(1)
    recent.put(target, STATE, 2)
    now += MAX_S * 0.6
    recent.put(target, STATE, 2)
    assert recent.get(target) is STATE
    now += MAX_S * 0.6
    assert recent.get(target) is None
    recent.put(target, STATE, 2)  # after a read
    assert recent.get(target) is STATE
