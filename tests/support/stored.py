"""Putting things into a store and looking at what came of it, in few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from tests.support.builders import carry_on

from rota.application.ports.keys import RunKey
from rota.application.ports.log import EventLog, LogEntry
from rota.application.ports.store import Begin
from rota.domain.aggregate import Aggregate
from rota.domain.calendar import Calendar
from rota.domain.calendars.open_days import OpenDays
from rota.domain.decision import CatchUp, Miss
from rota.domain.job import Job
from rota.domain.run import Run, new_run
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.worker import Worker

STORABLE = (
    RunState.PENDING,
    RunState.QUEUED,
    RunState.RUNNING,
    RunState.RETRYING,
    RunState.SUCCEEDED,
    RunState.DEAD,
)
"""The states that `store` can bring a run to: no use case cancels or skips one yet."""


async def store(begin: Begin, *things: Job | Calendar | Schedule | Run | Worker | Miss | CatchUp) -> None:
    """Adds all of them in one unit of work. A store takes only new runs: older ones get on in a second one."""
    async with begin() as work:
        for thing in things:
            match thing:
                case Job():
                    work.jobs.add(thing)
                case Calendar():
                    work.calendars.add(thing)
                case Schedule():
                    work.schedules.add(thing)
                case Run():
                    work.runs.add(thing if thing.worker_id is None else _as_it_was_made(thing))
                case Worker():
                    work.workers.add(thing)
                case Miss():
                    work.misses.add(thing)
                case CatchUp():
                    work.catch_ups.add(thing)
        await work.commit()
    started = {(thing.tenant_id, thing.id): thing for thing in things if isinstance(thing, Run) and thing.worker_id}
    if started:
        await _get_on(begin, started)


def _as_it_was_made(run: Run) -> Run:
    fresh = new_run(
        run.tenant_id,
        run.id,
        run.terms,
        run.cause,
        now=run.created_at,
        due_at=run.due_at,
        scheduled_for=run.scheduled_for,
        fired_at=run.fired_at,
        schedule_id=run.schedule_id,
        payload=run.payload,
        dedupe_key=run.dedupe_key,
        labels=run.labels,
        priority=run.priority,
        is_awaited=run.is_awaited,
        retry_of=run.retry_of,
        correlation_id=run.correlation_id,
        traceparent=run.traceparent,
        fired_epoch=run.fired_epoch,
    ).accept_queued()
    fresh.pull_events()
    return fresh


async def _get_on(begin: Begin, started: Mapping[RunKey, Run]) -> None:
    async with begin() as work:
        for key, stored in (await work.runs.load(started)).items():
            wanted = started[key]
            assert wanted.worker_id is not None
            carry_on(stored, wanted.state, wanted.worker_id, wanted.started_place, wanted.created_at)
            wanted.seq = stored.next_seq
        await work.commit()


async def all_events(log: EventLog) -> list[LogEntry]:
    return list(await log.after(0, 1000))


async def event_types(log: EventLog) -> list[str]:
    return [entry.type for entry in await all_events(log)]


def state(aggregate: Aggregate) -> dict[str, object]:
    """Everything an aggregate is, but what it has recorded: two with equal states are the same."""
    own = {
        each.name: getattr(aggregate, each.name)
        for each in fields(aggregate)
        if each.name not in ("_recorded", "_laid")
    }
    return {name: _said(value) for name, value in own.items()}


def _said(value: object) -> object:
    return (value.definition, tuple(map(_said, value.included))) if isinstance(value, OpenDays) else value
