"""What is drawn for a comparison with the model: documents, patches, writes, events of others, all from a seed."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from tests.integration.crud_documents import Document, Literal, write

KEYS = ["a", "b", "a", "b", "a/b", "~", "", "ä", "0", "-", '"']
NUMBERS = ["1", "1.0", "1e0", "-0", "0", "-0.0", "0.1", "0.10", "12345678901234567890", "1E+2", "-1", "1" * 60]
SCALARS = [None, None, True, False, "", "1", "x", 'say "x"', "\u2028\\x", *map(Literal, NUMBERS)]
POINTERS = ["", "/a", "/b", "/a~1b", "/~0", "/", "/0", "/a/0", "/a/-", "/a/1", "/a/a", "/b/a", "/b/", "/-", "/a/01"]
KINDS = ["add", "add", "add", "remove", "replace", "replace", "move", "copy", "test"]
RIGHT = ["right"] * 6 + ["star"] * 3 + ["list"] * 2
MATCHES = [*RIGHT, *RIGHT, "stale", "stale", "stale", "weak", "bare", "both", "missing", "missing"]
WRITES = ["put"] * 4 + ["merge"] * 5 + ["patch"] * 5 + ["restore"] * 4 + ["delete"] * 2 + ["create", "post", "make"]
FOREIGN_UPDATES = ["{}", '{"merge_patch":[1]}', '{"json_patch":[{"op":"remove"}]}', '{"a":1}']


class Drawn(NamedTuple):
    """A write, before it is known what there is to be written; `place` says which entity."""

    kind: str
    content: Any
    place: int
    match: str
    keyed: bool
    represent: bool


class Draw:
    """Everything from one seed."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def value(self, levels: int = 2) -> Any:
        chance = self._random.random()
        if levels == 0 or chance < 0.55:
            return self._random.choice(SCALARS)
        if chance < 0.75:
            return [self.value(levels - 1) for _ in range(self._random.randint(0, 3))]
        return self.document(levels - 1)

    def document(self, levels: int = 2) -> Document:
        return {self._random.choice(KEYS): self.value(levels) for _ in range(self._random.randint(0, 4))}

    def text(self, value: Any) -> str:
        """The same value in one of several spellings."""
        text = write(value)
        # No value has a backslash before a quote: this finds the quotes only.
        return text.replace('\\"', "\\u0022") if self._random.random() < 0.5 else f" {text}\n"

    def write(self) -> Drawn:
        chance = self._random
        kind = chance.choice(WRITES)
        content: Any = self.text(self.document())
        if kind == "patch":
            content = self.text(self._likely() if chance.random() < 0.5 else self._patch(chance.randint(0, 3)))
        elif kind in {"restore", "delete"}:
            content = chance.randint(1, 40) if kind == "restore" and chance.random() < 0.6 else None
        place = chance.randint(0, 40) if chance.random() < 0.4 else 0
        return Drawn(kind, content, place, chance.choice(MATCHES), chance.random() < 0.5, chance.random() < 0.5)

    def foreign(self) -> tuple[str, str]:
        """Action and payload."""
        action = self._random.choice(["Approved", "Approved", "Created", "Restored", "Deleted", "Updated", "Updated"])
        if action != "Updated":
            return action, self.text(self.document())
        if self._random.random() < 0.5:
            return action, self._random.choice(FOREIGN_UPDATES)
        return action, write({"merge_patch": self.document()})

    def _patch(self, length: int) -> list[Document]:
        return [self._operation() for _ in range(length)]

    def _operation(self) -> Document:
        kind = self._random.choice(KINDS)
        operation: Document = {"op": kind, "path": self._random.choice(POINTERS)}
        if kind in {"move", "copy"}:
            operation["from"] = self._random.choice(POINTERS)
        if kind in {"add", "replace", "test"}:
            operation["value"] = self.value()
        return operation

    def _likely(self) -> list[Document]:
        """A patch that mostly can be applied: an operation is of a place that the one before has made."""
        at = self._random.choice(["/a", "/b", "/a~1b", "/"])
        made: Document = {"op": "add", "path": at, "value": [self.value()]}
        return [made, {"op": "add", "path": f"{at}/-", "value": self.value()}, *self._patch(self._random.randint(0, 1))]
