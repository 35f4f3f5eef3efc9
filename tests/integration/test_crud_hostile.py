"""Documents that nobody would write by hand: each is kept to the letter, or refused with its place named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from eskit.settings import Settings
from tests.integration.crud_calls import Crud, crud_service, path

DEEPEST = '{"a":' * 99 + '{"z":null}' + "}" * 99

KEPT = [
    *(f'{{"n":{number}}}' for number in ["1", "1.0", "1e0", "-0", "-0.0", "12345678901234567890", "0.1", "1E+2"]),
    '{"n":%s}' % ("9" * 4300),
    '{"n":[1e-999999999,0e99999]}',
    '{"":"empty","/":1,"~":2,"~1":3,"a/b~c":4,"0":5,"-":6,"..":7,"__proto__":8}',
    '{"a":null,"b":[null,{"c":null},[null]],"d":{"e":null}}',
    '{"\\u0000":"\\u0000","\\"":"\\u0022","\\\\u0022":"\\\\"}',
    '{"é":"é","e\u0301":"e\u0301","😀":"\u2028\u2029\u202e\ufeff\uffff"}',
    '{"a":"\\ud83d\\ude00 \\/ \\b\\f"}',
    DEEPEST,
    json.dumps({"a": [[]] * 10_000}),
    json.dumps({f"k{n}": {} for n in range(5_000)}),
]


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


@pytest.mark.parametrize("number", range(len(KEPT)))
async def test_what_is_kept(crud: Crud, number: int) -> None:
    """Created; put in place of another; in a merge patch or a JSON Patch; restored; always the same to the letter."""
    text = KEPT[number]
    sent = text.encode()
    assert (await crud.create("u", sent)).status == 201
    assert (await crud.get("u")).body == sent
    assert (await crud.put("u", sent, '"1"')).json["version"] == 1, "nothing differs"
    await crud.create("v", {})
    put = await crud.put("v", sent, '"1"', Prefer="return=representation")
    assert put.status == 200
    assert (await crud.get("v")).body == put.body
    assert (await crud.put("v", sent, '"2"')).json["version"] == 2, "it is what was sent"
    patch = b'[{"op":"replace","path":"","value":%s}]' % sent
    await crud.create("w", {})
    assert (await crud.patch("w", patch, '"1"')).json["version"] == 2
    assert (await crud.put("w", sent, '"2"')).json["version"] == 2
    assert (await crud.delete("u")).status == 204
    assert (await crud.get("u", "?deleted=true")).body == sent
    assert (await crud.call("POST", f"{path('u')}/restore", If_Match="*")).json["version"] == 3
    assert (await crud.get("u")).body == sent
    for rest in ("/history", "/blame", "/diff?from=2", "/diff?from=2&format=text"):
        assert (await crud.call("GET", path("u") + rest)).status == 200


async def test_the_difference_of_such_documents_leads_from_one_to_the_other(crud: Crud) -> None:
    """Through the API: the patch that it tells, sent back, makes the later one of the earlier."""
    await crud.create("u", {})
    for text in KEPT[:-2]:
        assert (await crud.put("u", text.encode())).status == 200
    for version in range(1, len(KEPT[:-2])):
        told = await crud.call("GET", f"{path('u')}/diff?from={version}&to={version + 1}")
        ident = f"copy {version}"
        await crud.create(ident, (await crud.get("u", f"?version={version}")).body)
        assert (await crud.patch(ident, told.body, '"1"')).status == 200
        later = (await crud.get("u", f"?version={version + 1}")).body
        assert (await crud.put(ident, later, '"2"')).json["version"] == 2, "nothing differs any more"


async def test_no_key_of_a_document_looks_like_a_line_of_a_difference(crud: Crud) -> None:
    await crud.create("u", {})
    await crud.merge("u", {"a\n- /password: 1": 1, "b\r\x85\u2028c": 2, "ä": 3})
    text = (await crud.call("GET", f"{path('u')}/diff?from=1&format=text")).body.decode()
    assert text.splitlines() == [r"+ /a\n- ~1password: 1: 1", r"+ /b\r\x85\u2028c: 2", "+ /ä: 3"]


async def test_a_merge_patch_deeper_than_any_document_or_wider_than_the_limit(crud: Crud) -> None:
    await crud.create("u", DEEPEST)
    one_more = '{"a":' * 100 + "{}" + "}" * 100
    assert (await crud.merge("u", one_more)).said == (422, "invalid-request")
    # Nulls take members out: such a patch may be as large as an event, though the document may not.
    wide = json.dumps(dict.fromkeys((f"k{n}" for n in range(40_000)), None))
    assert (await crud.merge("u", wide)).json["version"] == 1
    assert (await crud.merge("u", '{"a":null,"b":{"c":null,"d":{}}}', '"1"')).json["version"] == 2
    assert (await crud.get("u")).body == b'{"b":{"d":{}}}'
    await crud.create("v", {"list": [1]})
    for patch in (
        '[{"op":"move","from":"/list","path":"/list/0"}]',
        '[{"op":"move","from":"","path":"/list/0"}]',
        '[{"op":"copy","from":"/list/-","path":"/a"}]',
        '[{"op":"remove","path":"/list/-"}]',
        '[{"op":"add","path":"/list/2","value":1}]',
        '[{"op":"add","path":"/list/1e0","value":1}]',
        '[{"op":"add","path":"/list/\\u0661","value":1}]',
        '[{"op":"add","path":"/list/0\\n","value":1}]',
        '[{"op":"test","path":"/list/0","value":true}]',
        '[{"op":"test","path":"/list","value":[true]}]',
    ):
        reply = await crud.patch("v", patch)
        assert (reply.said, reply.json["field"]) == ((422, "patch-failed"), "patch[0]"), patch
    assert (await crud.patch("v", '[{"op":"test","path":"","value":{"list":[1.00]}}]')).json["version"] == 1


async def test_the_deepest_document_fits_into_every_line_and_a_deeper_one_into_none(crud: Crud) -> None:
    patch = '[{"op":"replace","path":"","value":%s}]'
    for levels, outcome in ((0, [201, 200, 200, 200]), (1, [422] * 4)):
        await crud.create(f"u{levels}", {})
        deep = '{"a":' * levels + DEEPEST + "}" * levels
        told = f'"type":"User","id":"u{levels}","if_match":"*"'
        lines = [
            f'{{"op":"create","type":"User","id":"new{levels}","document":{deep}}}',
            f'{{"op":"put",{told},"document":{deep}}}',
            f'{{"op":"merge_patch",{told},"patch":{{"x":1}}}}' if not levels else "{}",
            f'{{"op":"json_patch",{told},"patch":{patch % deep}}}',
        ]
        body = "\n".join(lines).encode()
        reply = await crud.call("POST", "/v1/entities:batch", body, Content_Type="application/x-ndjson")
        assert [json.loads(line)["status"] for line in reply.body.splitlines()] == outcome, reply.body
    assert (await crud.get("u0")).body.decode() == DEEPEST


@pytest.mark.parametrize("header", ["Eskit-Occurred-On", "Eskit-User", "Eskit-Metadata", "Idempotency-Key", "If-Match"])
async def test_a_header_that_is_not_utf_8(crud: Crud, header: str) -> None:
    """No client library sends such bytes, so that they come by hand."""
    url = URL(crud.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"PUT {path('u')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n{header}: ".encode()
    writer.write(head + b"\xed\xa0\x80\xff" + b"\r\nIf-None-Match: *" * (header != "If-Match") + b"\r\n\r\n{}")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b'"field":"%s"' % header.encode() in answer
