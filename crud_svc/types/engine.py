"""Validation by jsonschema-rs, shut in: nothing is fetched, patterns take linear time, numbers keep their value."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import jsonschema_rs
import msgspec

from crud_svc.documents.exact_json import encode
from crud_svc.types.schemas import Schema
from crud_svc.types.violations import MAX_LISTED, NONE, Violations, cut, pointer
from eskit.errors import InvalidRequest
from eskit.types import Violation

MAX_PATTERN_BYTES = 100_000  # of one compiled pattern
ROOT = "the value"


def _exact(text: str) -> int | Decimal:
    """The engine compares whole numbers exactly, and a decimal that is whole only nearly."""
    try:
        decimal = Decimal(text)
    except InvalidOperation:  # an exponent that only a number next to zero can have
        return Decimal(float(text))
    whole = decimal.adjusted() >= 0 and decimal.as_integer_ratio()[1] == 1
    return int(decimal) if whole or not decimal else decimal


_decode = msgspec.json.Decoder(float_hook=_exact).decode


class Plain:
    """A document as the engine takes it, and how large it is at most: its values, and the characters of its texts.

    Written and read again in C: to walk through it in Python takes some ten times as long as to validate it.
    """

    __slots__ = ("characters", "text", "value", "values")

    def __init__(self, document: Any) -> None:
        self.text = encode(document)
        self.value = _decode(self.text)
        self.characters = len(self.text)
        # Each value but the first stands behind one of these.
        self.values = 1 + self.text.count(b",") + self.text.count(b"[") + self.text.count(b"{")


class Engine:
    """A compiled schema. Its calls keep the interpreter: for as long as `Schema.weight` and the document make it."""

    def __init__(self, schema: Schema) -> None:
        """Compile; raises InvalidRequest for what the draft does not allow, whose field is a JSON pointer."""
        document = {key: value for key, value in schema.document.items() if key != "$id"}
        try:
            self._validator = jsonschema_rs.validator_for(
                Plain(document).value,
                validate_formats=True,
                retriever=_refuse,
                mask=ROOT,
                pattern_options=jsonschema_rs.RegexOptions(
                    size_limit=MAX_PATTERN_BYTES, dfa_size_limit=MAX_PATTERN_BYTES
                ),
            )
        except jsonschema_rs.ValidationError as error:
            raise _no_schema(error) from None
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise InvalidRequest(f"The schema cannot be used: {cut(str(error))}", field="/schema") from None

    def accepts(self, document: Plain) -> bool:
        """Whether there is no violation: much faster than to list them."""
        return bool(self._validator.is_valid(document.value))

    def violations(self, document: Plain) -> Violations:
        """All of them."""
        return _violations([*self._validator.iter_errors(document.value)])

    def first(self, document: Plain) -> Violations:
        """One of them, without a look for others: `more` is at least one."""
        try:
            self._validator.validate(document.value)
        except jsonschema_rs.ValidationError as error:
            return Violations([_violation(error)], more=1)
        return NONE


def _violations(errors: list[jsonschema_rs.ValidationError]) -> Violations:
    return Violations([*map(_violation, errors[:MAX_LISTED])], max(0, len(errors) - MAX_LISTED))


def _violation(error: jsonschema_rs.ValidationError) -> Violation:
    return Violation(cut(pointer(error.instance_path)), cut(error.message), cut(pointer(error.schema_path)))


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside the document")


def _no_schema(error: jsonschema_rs.ValidationError) -> InvalidRequest:
    field = cut("/schema" + pointer(error.instance_path))
    return InvalidRequest(f"The schema is not one of its draft: {cut(error.message)} (at {field})", field=field)
