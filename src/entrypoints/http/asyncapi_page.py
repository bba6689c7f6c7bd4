"""The AsyncAPI document as a page that needs nothing but itself: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

import orjson

from rota.entrypoints.http.html import html_page, table

Json = Mapping[str, Any]  # Any: JSON

_WAYS: Final = {"send": "Rota says", "receive": "Rota hears"}
_REF: Final = "#/components/schemas/"


def asyncapi_page(document: Json, json_at: str) -> str:
    """HTML. `json_at` is where the document itself is."""
    info, channels, schemas = document["info"], document["channels"], document["components"]["schemas"]
    ways = {_last(each["channel"]["$ref"]): _WAYS[each["action"]] for each in document["operations"].values()}
    told = "".join(_channel(name, each, ways.get(name, "reply"), document) for name, each in channels.items())
    shapes = "".join(_schema(name, each) for name, each in schemas.items())
    links = "".join(f'<a href="#{escape(name)}">{escape(_spoken(name))}</a>' for name in channels)
    more = "".join(f'<a href="#schema-{escape(name)}">{escape(name)}</a>' for name in schemas)
    title = f"{escape(info['title'])} on the bus"
    return html_page(
        title,
        f"<h2>Channels</h2>{links}<h2>Shapes</h2>{more}",
        f"<p>{_prose(info['description'])}</p>"
        f"<p>AsyncAPI {escape(document['asyncapi'])}, version {escape(info['version'])}; "
        f'the document itself, for programs: <a href="{escape(json_at)}">{escape(json_at)}</a> (needs a token).</p>'
        f"{told}<section><h2>Shapes</h2>{shapes}</section>",
    )


def _channel(name: str, channel: Json, way: str, document: Json) -> str:
    address = channel["address"]
    place = f"<p><code>{escape(address)}</code></p>" if address else ""
    parameters = [
        (f"<code>{escape(each)}</code>", _parameter(told)) for each, told in channel.get("parameters", {}).items()
    ]
    messages = document["components"]["messages"]
    said = "".join(
        _message(each, messages[each], is_open=len(channel["messages"]) == 1) for each in channel["messages"]
    )
    return (
        f'<section id="{escape(name)}"><h2>{escape(_spoken(name))}<span class="pill">{escape(way)}</span></h2>'
        f"{place}<p>{_prose(channel['description'])}</p>{table(('parameter', ''), parameters)}{said}</section>"
    )


def _parameter(told: Json) -> str:
    known = told.get("enum") or told.get("examples") or ()
    said = ", ".join(f"<code>{escape(str(each))}</code>" for each in known)
    return f"{_prose(told['description'])}: {said}" if said else _prose(told["description"])


def _message(name: str, message: Json, *, is_open: bool) -> str:
    example = "".join(f"<pre>{escape(_pretty(each['payload']))}</pre>" for each in message["examples"])
    kind = message.get("name", name)
    summary = "" if message["summary"] == kind else f'<span class="about">{_prose(message["summary"])}</span>'
    return (
        f"<details{' open' if is_open else ''}><summary><code>{escape(kind)}</code>{summary}</summary>"
        f"<p>Shape: {_payload(message['payload'])}</p>{example}</details>"
    )


def _payload(payload: Json) -> str:
    if "allOf" not in payload:
        return _type(payload)
    envelope, own = payload["allOf"]
    return f"{_type(envelope)} with <code>data</code> {_type(own['properties']['data'])}"


def _schema(name: str, schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (f"<code>{escape(each)}</code>{'' if each in required else ' <small>optional</small>'}", _type(told))
        for each, told in schema.get("properties", {}).items()
    ]
    told = _prose(schema.get("description", ""))
    body = table(("field", "type"), rows) if rows else "" if "properties" in schema else f"<p>{_type(schema)}</p>"
    return f'<h3 id="schema-{escape(name)}">{escape(name)}</h3><p>{told}</p>{body}'


def _type(schema: Json) -> str:
    """A schema in a few words, with links to those it names."""
    if "$ref" in schema:
        name = _last(schema["$ref"])
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[choice]))
    if "const" in schema:
        return f"<code>{escape(_compact(schema['const']))}</code>"
    if "enum" in schema:
        return ", ".join(f"<code>{escape(_compact(each))}</code>" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    named = schema.get("format") or schema.get("type") or "any JSON"
    return escape(" or ".join(named) if isinstance(named, list) else str(named))


def _prose(text: str) -> str:
    """Words between backticks are code."""
    parts = escape(" ".join(text.split())).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _spoken(name: str) -> str:
    """`runEvents` as `Run events`."""
    return "".join(f" {char.lower()}" if char.isupper() else char for char in name).capitalize()


def _last(ref: str) -> str:
    return ref.rpartition("/")[2]


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _compact(value: object) -> str:
    return orjson.dumps(value).decode()
