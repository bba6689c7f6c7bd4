"""Schedules as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rota.application.json import dump, load
from rota.application.ports.keys import CalendarKey
from rota.domain.calendars.open_days import OpenDays
from rota.domain.misfire import DueTime
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.target import JobTarget
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.postgres.calendars import with_included
from rota.infrastructure.postgres.definitions import dump_delivery, dump_schedule, load_schedule
from rota.infrastructure.postgres.tables import jobs, schedule_revisions, schedules

WITH_JOB = select(schedules, jobs.c.definition.label("job_definition")).select_from(
    schedules.outerjoin(jobs, (jobs.c.tenant_id == schedules.c.tenant_id) & (jobs.c.id == schedules.c.job_id))
)
"""Every query for schedules starts here: their runs need the terms of their job. A delivery brings its own."""


TICK_COLUMNS = ("decided_to", "ahead", "next_scheduled_for", "next_due", "last_fire_at", "runs_made", "seq")
"""What walking its due times changes."""


def to_schedule(row: Row[Any]) -> Schedule:
    """`row` is of WITH_JOB; its calendar's open days are still to be given (`with_open_days`)."""
    own = load_schedule(row.definition, row.payload, row.job_id, row.job_definition, row.delivery)
    return schedule_as(row, own)


def schedule_as(row: Row[Any], definition: ScheduleDefinition) -> Schedule:
    """The same with this definition, whatever the row's."""
    due = None
    if row.next_due is not None:
        due = DueTime(row.next_scheduled_for, row.next_due)
    return Schedule(
        tenant_id=row.tenant_id,
        id=row.id,
        seq=row.seq,
        definition=definition,
        created_at=row.created_at,
        updated_at=row.updated_at,
        enabled=row.enabled,
        disabled_until=row.disabled_until,
        version=row.version,
        decided_to=row.decided_to,
        armed_from=row.armed_from,
        ahead=_load_instants(row.ahead),
        next=due,
        last_fire_at=row.last_fire_at,
        runs_made=row.runs_made,
        fired_epoch=row.fired_epoch,
        deleted_at=row.deleted_at,
    )


def from_schedule(schedule: Schedule) -> dict[str, Any]:  # Any: column values
    own = schedule.definition
    return {
        "tenant_id": schedule.tenant_id,
        "id": schedule.id,
        "name": own.name,
        "labels": dump(own.labels),
        "trigger_kind": own.trigger.kind,
        "target_kind": own.target.kind,
        **_definition(own),
        "calendar_id": own.calendar and own.calendar.calendar_id,
        "enabled": schedule.enabled,
        "disabled_until": schedule.disabled_until,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
        "deleted_at": schedule.deleted_at,
        "version": schedule.version,
        "fired_epoch": schedule.fired_epoch,
        "armed_from": schedule.armed_from,
        **tick_values(schedule),
    }


def _definition(own: ScheduleDefinition) -> dict[str, Any]:  # Any: column values
    target = own.target
    return {
        "job_id": target.job.id if isinstance(target, JobTarget) else None,
        "delivery": None if isinstance(target, JobTarget) else dump_delivery(target.delivery),
        "definition": dump_schedule(own),
        "payload": target.payload,
    }


def tick_values(schedule: Schedule) -> dict[str, Any]:  # Any: column values
    """TICK_COLUMNS."""
    due = schedule.next
    return {
        "decided_to": schedule.decided_to,
        "ahead": dump(sorted(schedule.ahead)) if schedule.ahead else None,
        "next_scheduled_for": due and due.scheduled_for,
        "next_due": due and due.due_at,
        "last_fire_at": schedule.last_fire_at,
        "runs_made": schedule.runs_made,
        "seq": schedule.next_seq,
    }


def _load_instants(text: str | None) -> frozenset[datetime]:
    return frozenset(map(datetime.fromisoformat, load(text))) if text else frozenset()


async def with_open_days(
    connection: AsyncConnection, known: KnownOpenDays, found: Sequence[Schedule]
) -> Sequence[Schedule]:
    """The same, each with what its calendar says: all calendars are read at once, and none is locked.

    Who changes a calendar changes its schedules with it, so that what was decided by the old one is not stored.
    """
    keys = {key for schedule in found if (key := _calendar_of(schedule))}
    if keys:
        open_days = known.of(keys, await with_included(connection, keys))
        for schedule in found:
            schedule.open_days = _said_of(schedule, open_days)
    return found


def _calendar_of(schedule: Schedule) -> CalendarKey | None:
    rule = schedule.definition.calendar
    return None if rule is None else (schedule.tenant_id, rule.calendar_id)


def _said_of(schedule: Schedule, open_days: Mapping[CalendarKey, OpenDays]) -> OpenDays | None:
    key = _calendar_of(schedule)
    return None if key is None else open_days.get(key)


def revision_values(schedule: Schedule) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": schedule.tenant_id,
        "schedule_id": schedule.id,
        "revision": schedule.version,
        **_definition(schedule.definition),
        "enabled": schedule.enabled,
        "deleted": schedule.deleted_at is not None,
        "at": schedule.updated_at,
    }


AS_IT_WAS: tuple[ColumnElement[Any], ...] = (
    schedule_revisions.c.definition.label("then_definition"),
    schedule_revisions.c.payload.label("then_payload"),
    schedule_revisions.c.job_id.label("then_job_id"),
    schedule_revisions.c.delivery.label("then_delivery"),
)
WITH_REVISION = schedules.join(
    schedule_revisions,
    (schedule_revisions.c.tenant_id == schedules.c.tenant_id) & (schedule_revisions.c.schedule_id == schedules.c.id),
).outerjoin(jobs, (jobs.c.tenant_id == schedule_revisions.c.tenant_id) & (jobs.c.id == schedule_revisions.c.job_id))
