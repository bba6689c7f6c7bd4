"""The HTTP API, from the OpenAPI document that a server answers with."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from docs.generate.markdown import cell

from rota.entrypoints.http.app import create_app
from rota.entrypoints.http.services import HttpServices

HEAD: Final = """\
# HTTP API

A server describes itself by OpenAPI 3.1 at `/openapi.json`, and shows that at `/docs`, where calls can be tried.
This page is made from the same document. The API answers at `/api/v1` and, the same, at `/`. JSON is camelCase,
instants are RFC 3339 in UTC, durations are seconds in fields that end in `Sec`. What is refused is a [problem
document](errors.md).

"""
FIRST: Final = ("schedules", "backfills", "jobs", "runs", "workers", "calendars")

Json = Mapping[str, Any]


def page() -> str:
    document: Json = create_app(cast(HttpServices, None)).openapi()  # nothing is asked of the services
    return "".join([HEAD, *_operations(document), *_shapes(document)])


def _operations(document: Json) -> Iterator[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = next(iter(operation.get("tags", ())), "other")
            short = re.sub(r"\{\w+_id\}", "{id}", path)
            groups[tag].append("".join(_operation(document, method.upper(), short, operation)))
    order = {tag: number for number, tag in enumerate(FIRST)}
    for tag in sorted(groups, key=lambda each: (order.get(each, len(FIRST)), each)):
        yield f"## {tag.replace('-', ' ').capitalize()}\n\n"
        yield from groups[tag]


def _operation(document: Json, method: str, path: str, operation: Json) -> Iterator[str]:
    yield f"### {method} {path} {{#{_anchor(f'{method} {path}')}}}\n\n"
    yield f"{operation.get('description') or operation.get('summary', '')}\n\n"
    if parameters := [_followed(document, each) for each in operation.get("parameters", ())]:
        yield "| parameter | in | type | |\n| --- | --- | --- | --- |\n"
        for each in parameters:
            needed = " Needed." if each.get("required") and each["in"] != "path" else ""
            told = cell(each.get("description") or each["schema"].get("description", ""))
            yield f"| `{each['name']}` | {each['in']} | {_type(each['schema'])} | {told}{needed} |\n"
        yield "\n"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body (`{kind}`): {_type(content['schema'])}\n\n"
    yield "| answer | | |\n| --- | --- | --- |\n"
    for status, answer in sorted(operation["responses"].items()):
        answer = _followed(document, answer)
        shapes = {_type(content.get("schema", {})) for content in answer.get("content", {}).values()}
        yield f"| {status} | {cell(answer.get('description', ''))} | {', '.join(sorted(shapes))} |\n"
    yield "\n"


def _shapes(document: Json) -> Iterator[str]:
    yield "## Shapes\n\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"### {name} {{#{_anchor(name)}}}\n\n"
        if told := schema.get("description"):
            yield f"{told}\n\n"
        properties = schema.get("properties")
        if not properties:
            yield f"{_type(schema)}\n\n"
            continue
        needed = set(schema.get("required", ()))
        yield "| field | type | |\n| --- | --- | --- |\n"
        for field, each in properties.items():
            yield f"| `{field}` | {_type(each)} | {_about(each, is_needed=field in needed)} |\n"
        yield "\n"


def _about(schema: Json, *, is_needed: bool) -> str:
    told = [cell(schema.get("description", ""))]
    if is_needed:
        told.append("Needed.")
    if "default" in schema and schema["default"] is not None:
        told.append(f"Unless said: `{cell(json.dumps(schema['default']))}`.")
    return " ".join(filter(None, told))


def _type(schema: Json) -> str:
    """In words, with links to the shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    for way in ("anyOf", "oneOf", "allOf"):
        if way in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[way]))
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}{_range(schema, 'minItems', 'maxItems')}"
    if kind == "object" and isinstance(more := schema.get("additionalProperties"), Mapping):
        return f"object of {_type(more)}"
    words: dict[str, str] = {"string": schema.get("format", "text").replace("date-time", "instant"), "null": "null"}
    pairs = (("minLength", "maxLength"), ("minimum", "maximum"))
    return words.get(kind, str(kind)) + "".join(_range(schema, low, high) for low, high in pairs)


def _range(schema: Json, low: str, high: str) -> str:
    least, most = schema.get(low), schema.get(high)
    if least is None and most is None:
        return ""
    return f" ({'' if least is None else f'{least:,}'}…{'' if most is None else f'{most:,}'})"


def _followed(document: Json, found: Json) -> Json:
    """What a reference refers to."""
    place: Any = document
    if "$ref" not in found:
        return found
    parts: Sequence[str] = found["$ref"].removeprefix("#/").split("/")
    for part in parts:
        place = place[part]
    return cast(Json, place)


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
