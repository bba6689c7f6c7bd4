"""What is said on the bus, from the AsyncAPI document that a server answers with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from docs.generate.markdown import cell
from docs.generate.shapes import shape_tables, type_in_words

from rota.entrypoints.asyncapi.document import asyncapi_document

HEAD: Final = """\
# Events

Every change is a CloudEvents 1.0 message in structured JSON on NATS JetStream, stream `ROTA_EVENTS`, with one
subject each: `scheduler.<aggregate>.<event>.<tenant>`. So `scheduler.run.*.acme` is all of one tenant's runs, and
`scheduler.run.failed.*` every failed attempt. They come at least once, in order for each aggregate; `Nats-Msg-Id`
is the event's id. This page is made from the AsyncAPI document that a server answers at `/asyncapi.json`, and shows
at `/asyncapi`. The same events are read over HTTP: [watching it](../guides/watching.md).

```sh
rota jobs create - <<< '{"name": "told"}'
rota events list --type job.created --limit 1 --json
```

<!-- answer -->
```json
{"items": [{"specversion": "1.0", "source": "rota", "type": "scheduler.job.created", "aggregateseq": 1}]}
```

A run's first event is `created`, `queued` (where it was queued at once) or `skipped`.

## Subjects

| subject | |
| --- | --- |
"""

Json = Mapping[str, Any]


def page() -> str:
    document: Json = asyncapi_document("1", "nats://localhost:4222")
    return "".join([HEAD, *_subjects(document), *_events(document), *shape_tables(document["components"]["schemas"])])


def _subjects(document: Json) -> Iterator[str]:
    for channel in document["channels"].values():
        if channel["address"]:
            yield f"| `{channel['address']}` | {cell(channel.get('description', ''))} |\n"


def _events(document: Json) -> Iterator[str]:
    """A table for each aggregate: the message, what it means where its name does not say it, and its `data`."""
    messages = document["components"]["messages"]
    for name, channel in document["channels"].items():
        if not name.endswith("Events"):
            continue
        yield f"\n## {name.removesuffix('Events').capitalize()}\n\n| `type` | `data` | |\n| --- | --- | --- |\n"
        for each in channel["messages"]:
            message = messages[each]
            told = "" if message["summary"] == message["name"] else message["summary"]
            yield f"| `{message['name']}` | {_data(message['payload'])} | {cell(told)} |\n"


def _data(payload: Json) -> str:
    found = (part["properties"]["data"] for part in payload["allOf"] if "properties" in part)
    return type_in_words(next(found))
