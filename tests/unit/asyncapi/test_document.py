"""The AsyncAPI document: whole, sound, and true to what is really said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import orjson
import pytest
from tests.support.builders import ACME, NOON, a_calendar, a_job, a_run, a_schedule, a_worker, next_id

from rota.application.json import dump, load
from rota.application.ports.log import LogEntry
from rota.application.views.events import event_view
from rota.application.views.workers import worker_view
from rota.domain.aggregate import Aggregate, DomainEvent
from rota.domain.ids import JobId
from rota.domain.job import Job
from rota.entrypoints.asyncapi import examples
from rota.entrypoints.asyncapi.document import EVENTS, asyncapi_document
from rota.infrastructure.nats import names

Json = dict[str, Any]  # Any: JSON
DOCUMENT: Json = orjson.loads(orjson.dumps(asyncapi_document("1", "nats://operator:secret@bus.example:4222")))
MESSAGES: Json = DOCUMENT["components"]["messages"]


def every(value: object, key: str) -> Iterator[Any]:
    """All that stands under that key, wherever."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for each in value.values():
            yield from every(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from every(each, key)


def at(ref: str) -> Any:  # Any: JSON
    found: Any = DOCUMENT
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found


def kinds(of: type[DomainEvent]) -> Iterator[str]:
    for kind in of.__subclasses__():
        if "type" in vars(kind):
            yield kind.type
        yield from kinds(kind)


def check(message: str, payload: object) -> None:
    whole = {**MESSAGES[message]["payload"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(payload)


def test_every_event_of_the_domain_is_in_it_and_the_heartbeat_that_is_in_no_log() -> None:
    told = {f"{aggregate}.{event}" for aggregate, events in EVENTS.items() for event in events}

    assert told == {*kinds(DomainEvent), "worker.heartbeat"}
    assert told <= MESSAGES.keys()


def test_every_place_of_the_bus_is_in_it() -> None:
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}

    assert addresses == {
        *(f"scheduler.{aggregate}.{{event}}.{{tenant}}" for aggregate in names.AGGREGATES),
        "scheduler.work.{tenant}.{queue}.{jobId}",
        "scheduler.report.{tenant}",
        "scheduler.beat.{tenant}",
        "scheduler.control.{tenant}.{workerId}",
        "topic.{tenant}.{topic}",
        None,
    }


def test_whatever_it_refers_to_is_there() -> None:
    for ref in every(DOCUMENT, "$ref"):
        assert at(ref) is not None


def test_every_address_names_its_parameters() -> None:
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"] or "")) == channel.get("parameters", {}).keys()


def test_an_operation_has_messages_of_its_own_channel_only() -> None:
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"]
        assert operation["action"] in ("send", "receive")
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


@pytest.mark.parametrize("message", sorted(MESSAGES))
def test_an_example_is_a_message_of_its_kind(message: str) -> None:
    (example,) = MESSAGES[message]["examples"]

    check(message, example["payload"])


def test_a_message_of_another_kind_is_none() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check("run.failed", examples.event("run.succeeded"))
    with pytest.raises(jsonschema.ValidationError):
        check("run.created", {**examples.event("run.created"), "data": examples.DATA["job.created"]})


def recorded() -> Iterator[tuple[Aggregate, DomainEvent]]:
    job = Job.create(ACME, JobId(next_id()), a_job().definition, now=NOON)
    job.delete(now=NOON)
    schedule, calendar, worker = a_schedule(), a_calendar(), a_worker()
    schedule.disable("maintenance", now=NOON)
    schedule.delete(now=NOON)
    run = a_run()
    run.cancel("no longer wanted", NOON)
    worker.drain(now=NOON)
    for aggregate in (job, schedule, calendar, worker, run):
        for event in aggregate.pull_events():
            yield aggregate, event


def test_what_is_really_said_is_as_it_is_described() -> None:
    from rota.application.views.events import event_data

    for seq, (_, event) in enumerate(recorded(), start=1):
        entry = LogEntry(
            seq, ACME, next_id(), event.type, event.subject, seq, event.at, None, None, dump(event_data(event))
        )
        check(event.type, load(dump(event_view(entry))))


def test_what_is_made_is_shown_as_get_shows_it() -> None:
    from rota.application.views.calendars import calendar_view
    from rota.application.views.jobs import job_view
    from rota.application.views.schedules import schedule_view

    for kind, view in (
        ("schedule.created", schedule_view(a_schedule().snapshot())),
        ("job.created", job_view(a_job().snapshot())),
        ("calendar.created", calendar_view(a_calendar().snapshot())),
        ("worker.heartbeat", worker_view(a_worker().snapshot())),
    ):
        check(kind, {**examples.event(kind), "data": load(dump(view))})


def test_it_tells_no_credentials() -> None:
    assert DOCUMENT["servers"]["bus"]["host"] == "bus.example:4222"
    assert "secret" not in orjson.dumps(DOCUMENT).decode()
