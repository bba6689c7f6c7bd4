"""What is said on the bus, from the AsyncAPI document that a server answers with."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from docs.generate.markdown import cell

from rota.application.ports.bus import Control
from rota.application.take_heartbeats import Heartbeat
from rota.entrypoints.bus.app import CloudEvent, asyncapi_document, make_broker

HEAD: Final = """\
# Events

Every change is a CloudEvents 1.0 message in structured JSON on NATS JetStream, stream `ROTA_EVENTS`, with one
subject each: `scheduler.<aggregate>.<event>.<tenant>`. So `scheduler.run.*.acme` is all of one tenant's runs, and
`scheduler.run.failed.*` every failed attempt. They come at least once, in order for each aggregate; `Nats-Msg-Id`
is the event's id. This page is made from the AsyncAPI document that a server answers at `/asyncapi.json`.

```sh
rota jobs create - <<< '{"name": "told"}'
rota events tail --type 'job.created' --since 60 --count 1 --json
```

<!-- answer -->
```json
{"specversion": "1.0", "source": "rota", "type": "scheduler.job.created", "aggregateseq": 1}
```

"""
DATA: Final = """
## What is in `data`

| event | `data` |
| --- | --- |
| of runs | `runId, scheduleId, job, state, cause, scheduledFor, dueAt, firedAt, attempt, workerId, reason, error` |
| `scheduler.run.missed`, whose `subject` is the schedule's id | `first, last, count, rule` |
| created and updated schedules, jobs, calendars | what GET shows |

A run's first event is `created`, `queued` (where it was queued at once) or `skipped`. A worker's `heartbeat` is
told at most once a minute, is not in the log, and has no `sequence`.
"""

Json = Mapping[str, Any]


def page() -> str:
    document = _document()
    return "".join([HEAD, _fields(), *_channels(document), DATA])


def _document() -> Json:
    async def take(_: Heartbeat) -> Sequence[Control]:
        return []

    return asyncapi_document(make_broker("nats://127.0.0.1:4222", take), "1")  # nobody connects


def _channels(document: Json) -> Iterator[str]:
    yield "\n## Subjects\n\n| subject | |\n| --- | --- |\n"
    for channel in sorted(document["channels"].values(), key=lambda each: str(each["address"])):
        subject, told = channel["address"], channel.get("description", "")
        named = re.fullmatch(r"(\S+), where <event> is one of: (.+)\.", told)
        if named:
            subject, told = named[1], " ".join(f"`{each}`" for each in named[2].split(", "))
        yield f"| `{subject}` | {cell(told)} |\n"


def _fields() -> str:
    rows = "".join(f"| `{name}` | {_type(field.annotation)} |\n" for name, field in CloudEvent.model_fields.items())
    return f"## Fields\n\n{cell(inspect.getdoc(CloudEvent) or '')}\n\n| field | is |\n| --- | --- |\n{rows}"


def _type(annotation: object) -> str:
    words = str(getattr(annotation, "__name__", annotation)) if isinstance(annotation, type) else str(annotation)
    return {"str": "text", "dict[str, typing.Any]": "object"}.get(
        words, words.replace("str", "text").replace(" | None", " or null")
    )
