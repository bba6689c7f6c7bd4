"""The AsyncAPI document as a page that needs nothing but itself: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

import orjson

Json = Mapping[str, Any]  # Any: JSON

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #2b6cb0; }
@media (prefers-color-scheme: dark) { :root { --accent: #7fb2e8; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 15rem minmax(0, 60rem); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  border-right: 1px solid var(--line); }
nav a { display: block; padding: .15rem 0; overflow-wrap: anywhere; }
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
td:first-child { white-space: nowrap; }
.way { font-size: .75rem; border: 1px solid currentColor; border-radius: 1em; padding: .1em .7em; margin-left: .6em;
  color: var(--accent); vertical-align: middle; font-weight: 500; }
details { border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .8rem; margin: .5rem 0; }
summary { cursor: pointer; }
summary span { opacity: .75; margin-left: .6em; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; border: 0; } }
"""
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
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>'
        f'{title}</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>"
        f"<nav><strong>{title}</strong><h2>Channels</h2>{links}<h2>Shapes</h2>{more}</nav>"
        f"<main><h1>{title}</h1><p>{_prose(info['description'])}</p>"
        f"<p>AsyncAPI {escape(document['asyncapi'])}, version {escape(info['version'])}; "
        f'the document itself, for programs: <a href="{escape(json_at)}">{escape(json_at)}</a> (needs a token).</p>'
        f"{told}<section><h2>Shapes</h2>{shapes}</section></main></body></html>"
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
        f'<section id="{escape(name)}"><h2>{escape(_spoken(name))}<span class="way">{escape(way)}</span></h2>'
        f"{place}<p>{_prose(channel['description'])}</p>{_table(('parameter', ''), parameters)}{said}</section>"
    )


def _parameter(told: Json) -> str:
    known = told.get("enum") or told.get("examples") or ()
    said = ", ".join(f"<code>{escape(str(each))}</code>" for each in known)
    return f"{_prose(told['description'])}: {said}" if said else _prose(told["description"])


def _message(name: str, message: Json, *, is_open: bool) -> str:
    example = "".join(f"<pre>{escape(_pretty(each['payload']))}</pre>" for each in message["examples"])
    kind = message.get("name", name)
    summary = "" if message["summary"] == kind else f"<span>{_prose(message['summary'])}</span>"
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
    body = _table(("field", "type"), rows) if rows else "" if "properties" in schema else f"<p>{_type(schema)}</p>"
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


def _table(heads: Iterable[str], rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"<tr><td>{left}</td><td>{right}</td></tr>" for left, right in rows)
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    return f"<table><tr>{head}</tr>{body}</table>" if body else ""


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
