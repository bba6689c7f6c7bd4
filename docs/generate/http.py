"""The HTTP API, from the OpenAPI document that a server answers with."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from docs.generate.markdown import cell
from docs.generate.shapes import anchor, shape_tables, type_in_words

from rota.entrypoints.http.app import create_app
from rota.entrypoints.http.services import HttpServices

HEAD: Final = """\
# HTTP API

A server describes itself by OpenAPI 3.1 at `/openapi.json`, and shows that at `/docs`.
This page is made from the same document. The API answers at `/api/v1` and, the same, at `/`. JSON is camelCase,
instants are RFC 3339 in UTC, durations are seconds in fields that end in `Sec`. What is refused is a [problem
document](errors.md).

"""
FIRST: Final = ("schedules", "backfills", "jobs", "runs", "workers", "calendars")

Json = Mapping[str, Any]


def page() -> str:
    document: Json = create_app(cast(HttpServices, None)).openapi()  # nothing is asked of the services
    return "".join([HEAD, *_operations(document), *shape_tables(document["components"]["schemas"])])


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
    yield f"### {method} {path} {{#{anchor(f'{method} {path}')}}}\n\n"
    yield f"{operation.get('description') or operation.get('summary', '')}\n\n"
    if parameters := [_followed(document, each) for each in operation.get("parameters", ())]:
        yield "| parameter | in | type | |\n| --- | --- | --- | --- |\n"
        for each in parameters:
            needed = " Needed." if each.get("required") and each["in"] != "path" else ""
            told = cell(each.get("description") or each["schema"].get("description", ""))
            yield f"| `{each['name']}` | {each['in']} | {type_in_words(each['schema'])} | {told}{needed} |\n"
        yield "\n"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body (`{kind}`): {type_in_words(content['schema'])}\n\n"
    yield "| answer | | |\n| --- | --- | --- |\n"
    for status, answer in sorted(operation["responses"].items()):
        answer = _followed(document, answer)
        shapes = {type_in_words(content.get("schema", {})) for content in answer.get("content", {}).values()}
        yield f"| {status} | {cell(answer.get('description', ''))} | {', '.join(sorted(shapes))} |\n"
    yield "\n"


def _followed(document: Json, found: Json) -> Json:
    """What a reference refers to."""
    place: Any = document
    if "$ref" not in found:
        return found
    parts: Sequence[str] = found["$ref"].removeprefix("#/").split("/")
    for part in parts:
        place = place[part]
    return cast(Json, place)
