"""The OpenAPI 3.1 description of a service, from its operations and the types they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from eskit import __version__, names, offsets
from eskit.errors import (
    EskitError,
    HeaderTooLarge,
    InvalidRequest,
    MalformedRequest,
    RequestTimeout,
    SchemaMismatch,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
    UriTooLong,
)
from eskit.web.operations import Content, Operation

_PLACEHOLDER = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_REF = "#/components/schemas/{name}"
PROBLEM = "application/problem+json"

# What stands in a path, by its name; the rules themselves are in `eskit.names`.
PATH_PARAMETERS: Mapping[str, dict[str, Any]] = {
    "entity_type": {
        "description": "Entity type, like `com.acme.User`.",
        "schema": {"type": "string", "pattern": names.ENTITY_TYPE_PATTERN, "maxLength": names.MAX_TYPE_BYTES},
        "example": "Order",
    },
    "id": {
        "description": "Originator id: 1 to 200 bytes of UTF-8, percent-encoded (`a/b` is `a%2Fb`).",
        "schema": {"type": "string", "minLength": 1, "maxLength": names.MAX_ID_BYTES},
        "example": "order-7",
    },
    "index": {
        "description": "Name of a declared index.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "example": "6d61f1f4f3d5c3a2",
    },
    "event_id": {
        "description": "Event id.",
        "schema": {"type": "string", "format": "uuid"},
        "example": "01a20c57-9331-7971-8669-ffaba7c628bf",
    },
    "consumer": {
        "description": "Name of a consumer.",
        "schema": {"type": "string", "pattern": names.CONSUMER_PATTERN},
        "example": "billing",
    },
    "topic": {
        "description": "Name of a topic.",
        "schema": {"type": "string", "pattern": offsets.TOPIC_PATTERN},
        "example": "eskit.application-log",
    },
    "partition": {
        "description": "Number of a partition.",
        "schema": {"type": "integer", "minimum": 0, "maximum": offsets.MAX_PARTITION},
        "example": 0,
    },
    "offset": {
        "description": "Offset of a record.",
        "schema": {"type": "integer", "minimum": 0, "maximum": offsets.MAX_NUMBER},
        "example": 7,
    },
}
# What every call may answer, beside its own errors; the second ones only where there is a body.
ANYWHERE = (
    MalformedRequest,
    UriTooLong,
    UnsupportedMediaType,
    InvalidRequest,
    HeaderTooLarge,
    EskitError,
    Unavailable,
    SchemaMismatch,
)
WITH_BODY = (RequestTimeout, TooLarge)

_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. Further members depend on the code.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable: what programs look at."},
        "detail": {"type": "string", "description": "For people: what is wrong, and what to do."},
        "field": {"type": "string", "description": "The input at fault."},
        "limit": {"type": "integer", "description": "The limit that it is over, where it is over one."},
        "request_id": {"type": "string", "description": "What the service's log has."},
    },
}


def describe(title: str, description: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """The document, the same each time."""
    _, components = msgspec.json.schema_components(list(_types(operations)), ref_template=_REF)
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(path_of(operation), {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": __version__,
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {**dict(sorted(components.items())), "Problem": _PROBLEM_SCHEMA}},
    }


def path_of(operation: Operation) -> str:
    """The path as OpenAPI writes it."""
    return _PLACEHOLDER.sub(r"{\1}", operation.path)


def summary_of(operation: Operation) -> tuple[str, str]:
    """The first sentence of the handler's docstring, and all of it in paragraphs without line ends."""
    text = (operation.handler.__doc__ or "").strip()
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    return re.split(r"(?<=\.) ", paragraphs[0])[0].rstrip("."), "\n\n".join(paragraphs)


def errors_of(operation: Operation) -> dict[int, list[type[EskitError]]]:
    """The errors a call may answer, by status."""
    found: dict[int, list[type[EskitError]]] = {}
    for error in (*ANYWHERE, *(WITH_BODY if operation.body else ()), *operation.errors):
        if error not in found.setdefault(error.status, []):
            found[error.status].append(error)
    return dict(sorted(found.items()))


def parameters_of(operation: Operation) -> list[dict[str, Any]]:
    """Path, query and header parameters."""
    found = [
        {"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]}
        for name in _PLACEHOLDER.findall(operation.path)
    ]
    if operation.query is not None:
        (_,), components = msgspec.json.schema_components([operation.query], ref_template=_REF)
        for name, schema in components[operation.query.__name__]["properties"].items():
            found.append({"name": name, "in": "query", **_described(schema)})
    for name, text in operation.headers.items():
        found.append({"name": name, "in": "header", "description": text, "schema": {"type": "string"}})
    return found


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """An optional parameter: null is no value that a query could have."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        schema = choices[0] | {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    plain = {key: value for key, value in schema.items() if key != "description" and (key, value) != ("default", None)}
    return {"description": schema.get("description", ""), "schema": plain}


def _operation(operation: Operation) -> dict[str, Any]:
    summary, description = summary_of(operation)
    answers = {str(status): _answer(content) for status, content in operation.answers.items()}
    for status, errors in errors_of(operation).items():
        codes = sorted({error.code for error in errors})
        schema = {"allOf": [{"$ref": _REF.format(name="Problem")}, {"properties": {"code": {"enum": codes}}}]}
        described = " ".join(f"`{error.code}`: {error.title}." for error in errors)
        answers[str(status)] = {"description": described, "content": {PROBLEM: {"schema": schema}}}
        if status == 503:
            answers[str(status)]["headers"] = {"Retry-After": _header("Seconds to wait.", {"type": "integer"})}
    found: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": summary,
        "description": description,
        "parameters": parameters_of(operation),
        "responses": answers,
    }
    if operation.body is not None:
        required = {"required": True, "description": operation.body.description}
        found["requestBody"] = {**required, "content": _content(operation.body)}
    return found


def _answer(content: Content) -> dict[str, Any]:
    found: dict[str, Any] = {"description": content.description}
    if content.types:
        found["content"] = _content(content)
    if content.headers:
        found["headers"] = {name: _header(text, {"type": "string"}) for name, text in content.headers.items()}
    return found


def _header(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "schema": schema}


def _content(content: Content) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for media_type, kinds in content.choices():
        schemas = msgspec.json.schema_components(kinds, ref_template=_REF)[0]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
        json = media_type.endswith(("/json", "+json"))
        entry: dict[str, Any] = {"schema": schema if json or kinds == (str,) else {"type": "string"}}
        if not json and kinds != (str,):
            entry["schema"]["description"] = "Lines, each: " + " or ".join(f"`{one.__name__}`" for one in kinds)
        if content.example is not None and json and not found:
            entry["example"] = content.example
        found[media_type] = entry
    return found


def _types(operations: Iterable[Operation]) -> Iterator[Any]:
    for operation in operations:
        for content in (operation.body, *operation.answers.values()):
            for _, kinds in content.choices() if content else ():
                yield from kinds
