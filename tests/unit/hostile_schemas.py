"""Schemas made up to get at a file and a server, or to take for ever."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random
from typing import Any


class Hostile:
    """Makes up schemas that refer to the canaries in every way, beside ones that are large, deep or circular."""

    def __init__(self, file: Path, url: str, random: Random) -> None:
        self.random = random
        path = str(file)
        at = url.partition("//")[2]
        self.targets = [
            url,
            f"{url}#",
            f"{url}#/$defs/a",
            f"//{at}",
            url.replace("http", "HTTP"),
            f"http://x@{at}",
            url.replace("127.0.0.1", "localhost"),
            f"https://{at}",
            f"file://{path}",
            f"file:{path}",
            f"file://localhost{path}",
            f"FILE://{path}#",
            path,
            f".{path}",
            "canary.json",
            "canary.json#",
            "schema.json",
            f"#/../{path}",
            f"#{path}",
            f"#/{path}",
            f"#/%2e%2e{path}",
            "#/$defs/../a",
            "urn:x:y",
            "json-schema:///x",
            "#",
            "#/",
            "#a",
            "",
            "?",
            "#/$defs/a",
            "https://json-schema.org/draft/2020-12/meta/core",
            "\x00",
            "http://[::1",
            "data:application/json,true",
        ]
        self.bases = [
            url,
            f"file://{path}",
            f"file://{Path(path).parent}/",
            f"http://{at.partition('/')[0]}/",
            "x",
            "#",
        ]

    def schema(self, levels: int = 4) -> Any:
        """One of them."""
        random = self.random
        if levels == 0 or random.random() < 0.05:
            return random.choice([True, False, {}, None, 7, "text", [], {"type": "string"}, {"$ref": self.target()}])
        kinds = (self.referring, self.referring, self.based, partial(self.nested, levels - 1), self.heavy, self.odd)
        found: dict[str, Any] = {}
        for _ in range(random.randint(1, 2)):
            found |= random.choice(kinds)()
        return found

    def target(self) -> Any:
        return self.random.choice(self.targets)

    def referring(self) -> dict[str, Any]:
        keyword = self.random.choice(["$ref", "$ref", "$dynamicRef", "$recursiveRef", "$schema", "$vocabulary"])
        return {keyword: self.random.choice([self.target(), {self.target(): True}])}

    def based(self) -> dict[str, Any]:
        inner = {
            "$id": self.random.choice(self.bases),
            "$ref": self.random.choice(["canary.json", "schema.json", "#a"]),
        }
        return self.random.choice(
            [inner, {"$defs": {"a": inner}, "$ref": "#/$defs/a"}, {"id": inner["$id"], "items": inner}]
        )

    def nested(self, levels: int) -> dict[str, Any]:
        one, other = self.schema(levels), self.schema(levels)
        return self.random.choice(
            [
                {"properties": {"a": one, "$ref": other}},
                {"allOf": [one, other]},
                {"anyOf": [one, other]},
                {"not": one},
                {"items": one, "prefixItems": [other]},
                {"$defs": {"a": one, "b": other}, "$ref": "#/$defs/a"},
                {"definitions": {"a": one}, "dependencies": {"a": other}},
                {"if": one, "then": other},
                {"contains": one},
                {"patternProperties": {"a": one}, "additionalProperties": other},
                {"unevaluatedProperties": one},
                {"dependentSchemas": {"a": one}},
                {"propertyNames": one},
                {"const": one, "examples": [other]},
                {"contentMediaType": "application/json", "contentSchema": one},
                {"x-unknown": one, "$ref": "#/x-unknown"},
            ]
        )

    def heavy(self) -> dict[str, Any]:
        doubling = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
        chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(200)}
        deep: Any = {}
        for _ in range(self.random.choice([10, 60, 300])):
            deep = {"not": deep}
        return self.random.choice(
            [
                {"$defs": doubling | {"d40": {}}, "$ref": "#/$defs/d0"},
                {"$defs": chain | {"d200": {}}, "$ref": "#/$defs/d0"},
                {"not": deep},
                {"pattern": "^(a+)+$"},
                {"pattern": "(a{99}){99}{99}"},
                {"pattern": "(?<=a)b"},
                {"properties": {"a": {"$ref": "#"}}},
                {"$ref": "#"},
                {"enum": [[n] for n in range(50)]},
                {"format": "regex"},
                {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
            ]
        )

    def odd(self) -> dict[str, Any]:
        return {
            self.random.choice(
                ["type", "properties", "items", "required", "minimum", "allOf", "format", "const"]
            ): self.random.choice([None, 0, "a", [], {}, [None], {"a": 1}, 1 << 80, "date-time", ["string"]])
        }
