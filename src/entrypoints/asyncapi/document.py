"""The AsyncAPI document: every subject that users and workers may hear or say something on.

FastStream can describe what it serves itself, which is heartbeats. Events, work and reports take faster roads than its
subscribers, so that the whole is written here; a test holds it against the domain's own events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from rota.entrypoints.asyncapi import examples, shapes
from rota.entrypoints.bus.heartbeat import HeartbeatIn
from rota.entrypoints.http.wire.calendars import CalendarOut
from rota.entrypoints.http.wire.jobs import JobOut
from rota.entrypoints.http.wire.schedules import ScheduleOut
from rota.entrypoints.http.wire.workers import ControlOut, WorkerOut

Json = dict[str, Any]  # Any: JSON

EVENTS: Final[Mapping[str, Mapping[str, type[BaseModel]]]] = {
    "schedule": {
        "created": ScheduleOut,
        "updated": ScheduleOut,
        "enabled": shapes.EnabledData,
        "disabled": shapes.DisabledData,
        "skipped": shapes.SkippedData,
        "deleted": shapes.VersionData,
        "audited": shapes.AuditedData,
    },
    "job": {"created": JobOut, "updated": JobOut, "deleted": shapes.NoData},
    "calendar": {"created": CalendarOut, "updated": CalendarOut, "deleted": shapes.NoData},
    "run": {
        **dict.fromkeys(examples.STATES, shapes.RunData),
        "progressed": shapes.RunProgressData,
        "missed": shapes.MissedData,
    },
    "worker": {
        **dict.fromkeys(("registered", "draining", "offline"), shapes.WorkerData),
        "heartbeat": WorkerOut,
    },
}
"""What `data` is, by aggregate and event."""

TOLD: Final = {
    "run.failed": "An attempt failed; `retrying`, `queued`, `dead` or `cancelled` follows",
    "run.missed": "Due times that the misfire policy did not run; `subject` is the schedule's id",
    "run.cancelrequested": "A running run is to stop; its worker has the last word",
    "schedule.audited": "The auditor found something else on record than should be",
    "worker.heartbeat": "A worker is there: at most one a minute per worker, not in the log, without sequences",
}

PARAMETERS: Final[Mapping[str, Json]] = {
    "tenant": {"description": "The tenant; `*` for all that may be heard", "examples": ["acme"]},
    "queue": {"description": "The job's queue", "examples": ["default"]},
    "jobId": {"description": "The job's id", "examples": [examples.JOB]},
    "workerId": {"description": "The worker's id", "examples": [examples.WORKER]},
    "topic": {"description": "The topic that the schedule's target names", "examples": ["orders.due"]},
}

_ABOUT: Final = """What is said on the bus (NATS JetStream). Events are delivered at least once and in order per
aggregate; the same events are read and followed over HTTP at `/events` and `/events/stream`.
"""


def asyncapi_document(version: str, nats_url: str) -> Json:
    """AsyncAPI 3.0. `nats_url` is the address that workers and listeners are told, without any credentials."""
    channels, operations, messages = _events()
    _work(channels, operations, messages)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Rota", "version": version, "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "bus": {
                "host": urlsplit(nats_url).netloc.rpartition("@")[2] or "localhost:4222",
                "protocol": "nats",
                "description": "NATS with JetStream, 2.12 or newer",
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": _schemas()},
    }


def _events() -> tuple[Json, Json, Json]:
    channels: Json = {}
    operations: Json = {}
    messages: Json = {}
    for aggregate, kinds in EVENTS.items():
        name = f"{aggregate}Events"
        said = {f"{aggregate}.{event}": _event_message(f"{aggregate}.{event}", data) for event, data in kinds.items()}
        messages |= said
        channels[name] = _channel(
            f"scheduler.{aggregate}.{{event}}.{{tenant}}",
            f"All of {aggregate}s; stream `ROTA_EVENTS`",
            said,
        )
        channels[name]["parameters"]["event"] = {"description": "What happened", "enum": list(kinds)}
        operations[f"publish{aggregate.capitalize()}Events"] = _operation("send", name, said)
    return channels, operations, messages


def _work(channels: Json, operations: Json, messages: Json) -> None:
    own = {
        "work": _message("One attempt of a run", _ref(shapes.WorkOut), examples.WORK),
        "reports": _message("What a worker reports: a list below 1 MiB", _list(shapes.ReportIn), examples.REPORTS),
        "heartbeat": _message("What a worker runs", _ref(HeartbeatIn), examples.BEAT),
        "orders": _message("What concerns the worker; often nothing", _list(ControlOut), examples.ORDERS),
        "topicEvent": _message("A due time, for whoever listens", _ref(shapes.TopicEvent), examples.TOPIC),
    }
    messages |= own
    described = {
        "work": (
            "scheduler.work.{tenant}.{queue}.{jobId}",
            "Work-queue stream `ROTA_WORK`, a consumer a job",
            "work",
        ),
        "reports": ("scheduler.report.{tenant}", "Stream `ROTA_REPORTS`", "reports"),
        "heartbeats": ("scheduler.beat.{tenant}", "Request and reply, every three seconds", "heartbeat"),
        "control": ("scheduler.control.{tenant}.{workerId}", "Between heartbeats; at most once", "orders"),
        "topics": ("topic.{tenant}.{topic}", "Targets of kind EVENT; stream `ROTA_TOPICS`", "topicEvent"),
    }
    for name, (address, told, message) in described.items():
        channels[name] = _channel(address, told, [message])
    channels["heartbeatReply"] = _channel(None, "The inbox of the request", ["orders"])
    operations["sendWork"] = _operation("send", "work", ["work"])
    operations["takeReports"] = _operation("receive", "reports", ["reports"])
    reply = {"channel": {"$ref": "#/channels/heartbeatReply"}, "messages": [_said("heartbeatReply", "orders")]}
    operations["answerHeartbeats"] = _operation("receive", "heartbeats", ["heartbeat"]) | {"reply": reply}
    operations["tellWorkers"] = _operation("send", "control", ["orders"])
    operations["publishTopics"] = _operation("send", "topics", ["topicEvent"])


def _channel(address: str | None, told: str, messages: Any) -> Json:  # Any: an iterable of names
    channel: Json = {
        "address": address,
        "description": told,
        "servers": [{"$ref": "#/servers/bus"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }
    if address is not None:
        channel["parameters"] = {name: told for name, told in PARAMETERS.items() if f"{{{name}}}" in address}
    return channel


def _operation(action: str, channel: str, messages: Any) -> Json:  # Any: an iterable of names
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [_said(channel, name) for name in messages],
    }


def _said(channel: str, message: str) -> Json:
    return {"$ref": f"#/channels/{channel}/messages/{message}"}


def _event_message(kind: str, data: type[BaseModel]) -> Json:
    own = {
        "type": "object",
        "required": ["type", "data"],
        "properties": {"type": {"const": f"scheduler.{kind}"}, "data": _ref(data)},
    }
    told = TOLD.get(kind, f"scheduler.{kind}")
    message = _message(told, {"allOf": [_ref(shapes.CloudEvent), own]}, examples.event(kind))
    return message | {"name": f"scheduler.{kind}", "contentType": "application/cloudevents+json"}


def _message(summary: str, payload: Json, example: object) -> Json:
    return {"summary": summary, "payload": payload, "examples": [{"payload": example}]}


def _ref(shape: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _list(shape: type[BaseModel]) -> Json:
    return {"type": "array", "items": _ref(shape)}


def _schemas() -> Json:
    told: set[type[BaseModel]] = {shape for kinds in EVENTS.values() for shape in kinds.values()}
    told |= {shapes.CloudEvent, shapes.WorkOut, shapes.TopicEvent, ControlOut}
    named: list[tuple[type[BaseModel], JsonSchemaMode]] = [(shape, "serialization") for shape in told]
    named += [(shapes.ReportIn, "validation"), (HeartbeatIn, "validation")]
    _, made = models_json_schema(
        sorted(named, key=lambda each: each[0].__name__), ref_template="#/components/schemas/{model}"
    )
    schemas: Json = _without_discriminators(made["$defs"])
    return dict(sorted(schemas.items()))


def _without_discriminators(schema: Any) -> Any:  # Any: JSON
    """OpenAPI's are objects, AsyncAPI's are not; `oneOf` and `const` say it all."""
    if isinstance(schema, dict):
        return {name: _without_discriminators(each) for name, each in schema.items() if name != "discriminator"}
    return [_without_discriminators(each) for each in schema] if isinstance(schema, list) else schema
