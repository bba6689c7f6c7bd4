"""The OpenAPI document as a page that needs nothing but itself: no script, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

Json = Mapping[str, Any]  # Any: OpenAPI

_REF: Final = "#/components/schemas/"
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #2b6cb0; }
@media (prefers-color-scheme: dark) { :root { --accent: #7fb2e8; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 17rem minmax(0, 62rem); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  border-right: 1px solid var(--line); }
nav a { display: block; padding: .1rem 0; }
nav h2 { font-size: .8rem; text-transform: uppercase; letter-spacing: .05em; margin: 1.2rem 0 .3rem; opacity: .7; }
main { padding: 1.5rem 2rem 6rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
h1 { margin-top: 0; }
section { border-top: 1px solid var(--line); padding-top: .5rem; margin-top: 2rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
code { background: var(--soft); padding: .1em .35em; border-radius: .25em; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .8rem 1rem; border-radius: .4rem; overflow: auto; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; opacity: .7; }
details { border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .8rem; margin: .5rem 0; }
summary { cursor: pointer; }
.method { display: inline-block; min-width: 4.2em; font-weight: 600; color: var(--accent); }
.scope { font-size: .75rem; border: 1px solid currentColor; border-radius: 1em; padding: .1em .7em; margin-left: .6em;
  color: var(--accent); white-space: nowrap; }
small { opacity: .75; }
@media (max-width: 55rem) { body { display: block; } nav { position: static; height: auto; border: 0; } }
"""


def openapi_page(document: Json, json_at: str) -> str:
    """HTML. `json_at` is where the document itself is."""
    info, schemas = document["info"], document["components"]["schemas"]
    title = f"{escape(info['title'])} over HTTP"
    links = "".join(f'<a href="#{escape(tag["name"])}">{escape(tag["name"])}</a>' for tag in document["tags"])
    shapes = "".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in schemas)
    places = ", ".join(f"<code>{escape(each['url'])}</code>" for each in document["servers"])
    told = "".join(_tag(tag, document) for tag in document["tags"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<nav><strong>{title}</strong><h2>Operations</h2>{links}<h2>Shapes</h2>{shapes}</nav>"
        f"<main><h1>{title}</h1><p>{_prose(info['description'])}</p><p>It answers at {places}. OpenAPI "
        f'{escape(document["openapi"])}; the document itself, for programs: <a href="{escape(json_at)}">'
        f"{escape(json_at)}</a>.</p>{told}<section><h2>Shapes</h2>"
        f"{''.join(_shape(name, schema) for name, schema in schemas.items())}</section></main></body></html>"
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
    pills = "".join(f'<span class="scope">{escape(scope)}</span>' for scope in scopes)
    parameters = [
        (f"<code>{escape(each['name'])}</code>", f"{each['in']}{', needed' if each['required'] else ''}",
         f"{_type(each['schema'])} {_prose(each.get('description', ''))}")
        for each in operation.get("parameters", ())
    ]  # fmt: skip
    answers = [(status, *_answer(answer, document)) for status, answer in sorted(operation["responses"].items())]
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method">{method.upper()}</span>'
        f"<code>{escape(path)}</code> {escape(operation['summary'])}{pills}</summary>"
        f"<p>{_prose(operation['description'])}</p>{_table(('parameter', 'in', ''), parameters)}"
        f"{_body(operation)}{_table(('status', 'body', ''), answers)}</details>"
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
    text = _table(("field", ""), rows) or f"<p>{_type(schema)}</p>"
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


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{each}</td>" for each in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _prose(text: str) -> str:
    """With `code`, paragraphs and lists."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False).strip())
    return re.sub(r"\n+(?=- )", "<br>", marked).replace("\n\n", "</p><p>")


def _pretty(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
