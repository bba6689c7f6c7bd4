"""The OpenAPI document as a page that needs nothing but itself: no script, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from rota.entrypoints.http.html import html_page, table

Json = Mapping[str, Any]  # Any: OpenAPI

_REF: Final = "#/components/schemas/"


def openapi_page(document: Json, json_at: str) -> str:
    """HTML. `json_at` is where the document itself is."""
    info, schemas = document["info"], document["components"]["schemas"]
    title = f"{escape(info['title'])} over HTTP"
    links = "".join(f'<a href="#{escape(tag["name"])}">{escape(tag["name"])}</a>' for tag in document["tags"])
    shapes = "".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in schemas)
    places = ", ".join(f"<code>{escape(each['url'])}</code>" for each in document["servers"])
    told = "".join(_tag(tag, document) for tag in document["tags"])
    return html_page(
        title,
        f"<h2>Operations</h2>{links}<h2>Shapes</h2>{shapes}",
        f"<p>{_prose(info['description'])}</p><p>It answers at {places}. OpenAPI "
        f'{escape(document["openapi"])}; the document itself, for programs: <a href="{escape(json_at)}">'
        f"{escape(json_at)}</a>.</p>{told}<section><h2>Shapes</h2>"
        f"{''.join(_shape(name, schema) for name, schema in schemas.items())}</section>",
    )


def _tag(tag: Json, document: Json) -> str:
    own = "".join(
        _operation(method, path, operation, document)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if tag["name"] in operation["tags"]
    )
    name = escape(tag["name"])
    return f'<section id="{name}"><h2>{name}</h2><p>{_prose(tag["description"])}</p>{own}</section>'


def _operation(method: str, path: str, operation: Json, document: Json) -> str:
    scopes = [scope for needed in operation.get("security", ()) for scope in next(iter(needed.values()))]
    pills = "".join(f'<span class="pill">{escape(scope)}</span>' for scope in scopes)
    parameters = [
        (f"<code>{escape(each['name'])}</code>", f"{each['in']}{', needed' if each['required'] else ''}",
         f"{_type(each['schema'])} {_prose(each.get('description', ''))}")
        for each in operation.get("parameters", ())
    ]  # fmt: skip
    answers = [(status, *_answer(answer, document)) for status, answer in sorted(operation["responses"].items())]
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method">{method.upper()}</span>'
        f"<code>{escape(path)}</code> {escape(operation['summary'])}{pills}</summary>"
        f"<p>{_prose(operation['description'])}</p>{table(('parameter', 'in', ''), parameters)}"
        f"{_body(operation)}{table(('status', 'body', ''), answers)}</details>"
    )


def _body(operation: Json) -> str:
    contents = operation.get("requestBody", {}).get("content", {})
    kinds = "; ".join(f"<code>{escape(kind)}</code> {_type(each['schema'])}" for kind, each in contents.items())
    examples: Json = next((each.get("examples", {}) for each in contents.values()), {})
    shown = "".join(
        f"<details><summary>{escape(each['summary'])}</summary><pre>{escape(_pretty(each['value']))}</pre></details>"
        for each in examples.values()
    )
    return f"<p>Body: {kinds}</p>{shown}" if kinds else ""


def _answer(answer: Json, document: Json) -> tuple[str, str]:
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    kinds = "; ".join(
        f"<code>{escape(kind)}</code> {_type(each['schema'])}" for kind, each in answer.get("content", {}).items()
    )
    headers = " ".join(f"<code>{escape(name)}</code>" for name in answer.get("headers", ()))
    return kinds, _prose(answer["description"]) + (f"<br><small>Headers: {headers}</small>" if headers else "")


def _shape(name: str, schema: Json) -> str:
    needed = schema.get("required", ())
    rows = [
        (f"<code>{escape(field)}</code>{' <small>needed</small>' if field in needed else ''}",
         f"{_type(told)} {_prose(told.get('description', ''))}")
        for field, told in schema.get("properties", {}).items()
    ]  # fmt: skip
    text = table(("field", ""), rows) or f"<p>{_type(schema)}</p>"
    description = _prose(schema.get("description", ""))
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><p>{description}</p>'
        f"{text}</details>"
    )


def _type(schema: Json) -> str:
    return " or ".join(dict.fromkeys(_kinds(schema))) or "any JSON"


def _kinds(schema: Json) -> Iterator[str]:
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_REF))
        yield f'<a href="#{name}">{name}</a>'
    for each in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _kinds(each)
    if "enum" in schema or "const" in schema:
        yield from (f"<code>{escape(json.dumps(each))}</code>" for each in schema.get("enum", [schema.get("const")]))
    elif "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        yield from (_bounded(kind, schema) for kind in kinds)


def _bounded(kind: str, schema: Json) -> str:
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    least, most = (schema.get(name) for name in ("minimum", "maximum"))
    bounds = f" {least:,} to {most:,}" if least is not None and most is not None else ""
    return f"{kind}{bounds}" + (f" ({escape(schema['format'])})" if "format" in schema else "")


def _prose(text: str) -> str:
    """With `code`, paragraphs and lists."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False).strip())
    return re.sub(r"\n+(?=- )", "<br>", marked).replace("\n\n", "</p><p>")


def _pretty(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
