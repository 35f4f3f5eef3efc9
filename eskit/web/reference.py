"""/openapi.json and /docs: a service describes itself, from files of its own and without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, get_origin
from urllib.parse import quote

import msgspec
from aiohttp import web

from eskit import __version__
from eskit.errors import EskitError
from eskit.web.answers import Answer
from eskit.web.etags import IF_MATCH, etag, unchanged
from eskit.web.openapi import PATH_PARAMETERS, describe, errors_of, parameters_of, path_of, summary_of
from eskit.web.operations import JSON, Content, Operation


def described_routes(service: str, description: str, operations: Sequence[Operation]) -> list[web.RouteDef]:
    """The two routes of a service."""
    described = describe(f"ESKIT {service}", description, operations)
    document = msgspec.json.encode(described)
    page, policy = _page(service, description, operations, described["components"]["schemas"])
    html = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}

    async def openapi(request: web.Request) -> Answer:
        return _constant(request, document, JSON, {})

    async def docs(request: web.Request) -> Answer:
        return _constant(request, page, "text/html; charset=utf-8", html)

    return [web.get("/openapi.json", openapi), web.get("/docs", docs)]


def _constant(request: web.Request, body: bytes, media_type: str, headers: dict[str, str]) -> Answer:
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {**headers, "ETag": etag(tag), "Cache-Control": "no-cache"}
    if unchanged(request, tag):
        return Answer(status=304, headers=headers)
    return Answer(body, content_type=media_type, headers=headers)


def _page(service: str, description: str, operations: Sequence[Operation], types: dict[str, Any]) -> tuple[bytes, str]:
    """The page, and the policy under which nothing but its own style applies."""
    folder = files("eskit.web")
    style = folder.joinpath("reference.css").read_text(encoding="utf-8")
    template = Template(folder.joinpath("reference.html").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    text = template.substitute(
        style=style,
        title=escape(f"ESKIT {service}"),
        version=escape(__version__),
        description=escape(description),
        index="".join(_index_line(operation) for operation in operations),
        operations="".join(_section(operation) for operation in operations),
        types="".join(_type(name, schema) for name, schema in types.items()),
    )
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    return text.encode(), policy


def _index_line(operation: Operation) -> str:
    return (
        f'<li><a href="#{operation.handler.__name__}">{_call(operation)}</a> {_inline(summary_of(operation)[0])}</li>'
    )


def _call(operation: Operation) -> str:
    return f'<b class="{operation.method.lower()}">{operation.method}</b> <code>{escape(path_of(operation))}</code>'


def _section(operation: Operation) -> str:
    paragraphs = "".join(f"<p>{_inline(text)}</p>" for text in summary_of(operation)[1].split("\n\n"))
    parts = [f'<section id="{operation.handler.__name__}"><h2>{_call(operation)}</h2>{paragraphs}']
    if rows := "".join(_parameter(parameter) for parameter in parameters_of(operation)):
        parts.append(_table("Parameters", ("name", "in", "kind", "meaning"), rows))
    if operation.body is not None:
        parts.append(f"<h3>Body</h3><p>{_inline(operation.body.description)} {_kinds(operation.body)}</p>")
    parts.append(f"<pre><code>{escape(_curl(operation))}</code></pre>")
    answers = "".join(_answer(status, content) for status, content in operation.answers.items())
    errors = "".join(_error(error) for found in errors_of(operation).values() for error in found)
    parts.append(_table("Answers", ("status", "", "meaning"), answers + errors))
    return "".join(parts) + "</section>"


def _parameter(parameter: dict[str, Any]) -> str:
    return _row(
        _code(parameter["name"]), parameter["in"], _kind(parameter["schema"]), _inline(parameter["description"])
    )


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        kind = " or ".join(_code(choice) for choice in schema["enum"])
    else:
        kind = escape(str(schema.get("format", schema.get("type", "any"))))
    if "minimum" in schema:
        kind += f", {schema['minimum']} to {schema.get('maximum', '…')}"
    return kind + (f"; default {_code(json.dumps(schema['default']))}" if "default" in schema else "")


def _answer(status: int, content: Content) -> str:
    headers = " ".join(f"{_code(name)}: {_inline(text)}" for name, text in content.headers.items())
    return _row(str(status), "", " ".join([_inline(content.description), _kinds(content), headers]))


def _error(error: type[EskitError]) -> str:
    meaning = (error.__doc__ or error.title).strip().split("\n")[0]
    return _row(str(error.status), _code(error.code), _inline(meaning))


def _kinds(content: Content) -> str:
    return ", ".join(
        f"{_code(media_type)}: {' or '.join(map(_held, kinds))}" for media_type, kinds in content.choices()
    )


# What has no fields of its own to show: documents and patches.
_PLAIN = {dict: "a JSON object", list: "a JSON array", str: "text"}


def _held(kind: Any) -> str:
    plain = _PLAIN.get(get_origin(kind) or kind)
    return _link(kind.__name__) if plain is None else plain


def _link(name: str) -> str:
    return f'<a href="#{name}">{_code(name)}</a>'


def _type(name: str, schema: dict[str, Any]) -> str:
    """A type with its fields, which calls link to."""
    required = schema.get("required", ())
    rows = "".join(
        _row(_code(field), _shape(kind), "required" if field in required else "", _inline(kind.get("description", "")))
        for field, kind in schema["properties"].items()
    )
    about = f"<p>{_inline(' '.join(schema.get('description', '').split()))}</p>"
    table = _table("Fields", ("name", "kind", "", "meaning"), rows)
    return f'<section id="{name}"><h2>{_code(name)}</h2>{about}{table}</section>'


def _shape(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_shape(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"array of {_shape(schema['items'])}"
    return _kind(schema)


def _curl(operation: Operation) -> str:
    path = path_of(operation)
    for name, parameter in PATH_PARAMETERS.items():
        path = path.replace(f"{{{name}}}", quote(str(parameter["example"]), safe=""))
    # Where the reader is: the page does not know by which name it was reached.
    line = f'curl -s "$URL{path}"'
    if operation.method != "GET":
        line += f" -X {operation.method}"
    if IF_MATCH in operation.headers and operation.method != "GET":
        line += f" -H '{IF_MATCH}: *'"
    if operation.body is not None and operation.body.example is not None:
        media_type = next(iter(operation.body.types))
        line += f" -H 'Content-Type: {media_type}' -d '{json.dumps(operation.body.example)}'"
    return line


def _table(title: str, head: Sequence[str], rows: str) -> str:
    return f"<h3>{title}</h3><table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{rows}</table>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _inline(text: str) -> str:
    """Text whose parts between backquotes are code."""
    return "".join(_spans(text))


def _spans(text: str) -> Iterator[str]:
    for index, part in enumerate(text.split("`")):
        yield _code(part) if index % 2 else escape(part)
