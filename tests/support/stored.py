"""Putting things into a store and looking at what came of it, in few words."""

from __future__ import annotations

from dataclasses import fields

from rota.application.ports.log import EventLog, LogEntry
from rota.application.ports.store import Begin
from rota.domain.aggregate import Aggregate
from rota.domain.job import Job
from rota.domain.run import Run
from rota.domain.schedule import CatchUp, Miss, Schedule
from rota.domain.worker import Worker


async def store(begin: Begin, *things: Job | Schedule | Run | Worker | Miss | CatchUp) -> None:
    """Adds all of them in one unit of work."""
    async with begin() as work:
        for thing in things:
            match thing:
                case Job():
                    work.jobs.add(thing)
                case Schedule():
                    work.schedules.add(thing)
                case Run():
                    work.runs.add(thing)
                case Worker():
                    work.workers.add(thing)
                case Miss():
                    work.misses.add(thing)
                case CatchUp():
                    work.catch_ups.add(thing)
        await work.commit()


async def all_events(log: EventLog) -> list[LogEntry]:
    return list(await log.after(0, 1000))


async def event_types(log: EventLog) -> list[str]:
    return [entry.type for entry in await all_events(log)]


def state(aggregate: Aggregate) -> dict[str, object]:
    """Everything an aggregate is, but what it has recorded: two with equal states are the same."""
    return {each.name: getattr(aggregate, each.name) for each in fields(aggregate) if each.name != "_recorded"}
