"""Documents as a program has them: dataclasses, msgspec Structs, pydantic models, plain dictionaries; and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from eskit.errors import DocumentMismatch

T = TypeVar("T")


class Shape(Generic[T]):
    """How documents of one class become JSON and come back."""

    def __init__(self, kind: type[T]) -> None:
        """`kind`: a pydantic model, or anything that msgspec knows: a dataclass, a Struct, an attrs class, a dict."""
        self._kind = kind
        self._is_pydantic = hasattr(kind, "model_validate_json") and hasattr(kind, "model_dump_json")
        self._decode = _pydantic(kind) if self._is_pydantic else msgspec.json.Decoder(kind).decode

    def encode(self, document: T | bytes) -> bytes:
        """As JSON; bytes are JSON already."""
        if isinstance(document, bytes):
            return document
        if self._is_pydantic:
            model: Any = document
            return bytes(model.model_dump_json(by_alias=True).encode())
        return msgspec.json.encode(document)

    def decode(self, body: bytes) -> T:
        """From JSON; raises DocumentMismatch."""
        try:
            return self._decode(body)
        except ValueError as error:  # of msgspec and of pydantic alike
            message = f"The stored document is no {self._kind.__qualname__}: {error}"
            raise DocumentMismatch(message) from error

    def plain(self, document: T) -> Any:
        """As dictionaries, lists and numbers: what its JSON says, with every default of a class."""
        _complete(document)
        return msgspec.json.decode(self.encode(document))


def _complete(value: Any) -> None:
    """Give dataclasses the attributes that only their class has.

    msgspec leaves a default where it is, in the class, and encodes what stands in the object: the same document would
    have one JSON when it was decoded and another when it was made.
    """
    if isinstance(value, dict):
        inner: Iterable[Any] = value.values()
    elif dataclasses.is_dataclass(value) and hasattr(value, "__dict__"):
        own = vars(value)
        for field in dataclasses.fields(value):
            own.setdefault(field.name, getattr(value, field.name))
        inner = own.values()
    else:
        inner = value if isinstance(value, (list, tuple)) else ()
    for one in inner:
        _complete(one)


def _pydantic(kind: Any) -> Callable[[bytes], Any]:
    # pydantic is no dependency of ours: a model has what we need.
    decode: Callable[[bytes], Any] = kind.model_validate_json
    return decode
