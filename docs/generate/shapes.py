"""Shapes of JSON as tables, with links from one to another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from docs.generate.markdown import cell

Json = Mapping[str, Any]


def shape_tables(schemas: Json) -> Iterator[str]:
    """Of all that a document names."""
    yield "\n## Shapes\n\n"
    for name, schema in sorted(schemas.items()):
        yield f"### {_short(name)} {{#{anchor(name)}}}\n\n"
        if told := schema.get("description"):
            yield f"{told}\n\n"
        properties = schema.get("properties")
        if not properties:
            yield f"{type_in_words(schema)}\n\n"
            continue
        needed = set(schema.get("required", ()))
        yield "| field | type | |\n| --- | --- | --- |\n"
        for field, each in properties.items():
            yield f"| `{field}` | {type_in_words(each)} | {_about(each, is_needed=field in needed)} |\n"
        yield "\n"


def _about(schema: Json, *, is_needed: bool) -> str:
    told = [cell(schema.get("description", ""))]
    if is_needed:
        told.append("Needed.")
    if "default" in schema and schema["default"] is not None:
        told.append(f"Unless said: `{cell(json.dumps(schema['default']))}`.")
    return " ".join(filter(None, told))


def type_in_words(schema: Json) -> str:
    """In words, with links to the shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{_short(name)}](#{anchor(name)})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    for way in ("anyOf", "oneOf", "allOf"):
        if way in schema:
            return " or ".join(dict.fromkeys(type_in_words(each) for each in schema[way]))
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {type_in_words(schema.get('items', {}))}{_range(schema, 'minItems', 'maxItems')}"
    if kind == "object" and isinstance(more := schema.get("additionalProperties"), Mapping):
        return f"object of {type_in_words(more)}"
    words: dict[str, str] = {"string": schema.get("format", "text").replace("date-time", "instant"), "null": "null"}
    pairs = (("minLength", "maxLength"), ("minimum", "maximum"))
    return words.get(kind, str(kind)) + "".join(_range(schema, low, high) for low, high in pairs)


def _range(schema: Json, low: str, high: str) -> str:
    least, most = schema.get(low), schema.get(high)
    if least is None and most is None:
        return ""
    return f" ({'' if least is None else f'{least:,}'}…{'' if most is None else f'{most:,}'})"


def anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _short(name: str) -> str:
    """Where two shapes have one name, the document says from where each is."""
    return " ".join(name.split("__")[-2:]) if "__" in name else name.rstrip("_").replace("PageOut_", "PageOut of ")
