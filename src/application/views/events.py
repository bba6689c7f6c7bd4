"""How an event looks to those outside: a CloudEvent, and the `data` in it."""

from __future__ import annotations

from rota.application.ports.log import LogEntry
from rota.application.views.calendars import calendar_view
from rota.application.views.jobs import job_view
from rota.application.views.runs import error_view, progress_view
from rota.application.views.schedules import due_time_view, schedule_view, span_view
from rota.application.views.values import RawJson, View
from rota.application.views.workers import worker_view
from rota.domain.aggregate import DomainEvent
from rota.domain.calendar import CalendarCreated, CalendarDeleted, CalendarUpdated
from rota.domain.job import JobCreated, JobDeleted, JobUpdated
from rota.domain.payload import Json
from rota.domain.run_events import RunEvent, RunProgressed
from rota.domain.schedule_events import (
    RunsMissed,
    ScheduleAudited,
    ScheduleCreated,
    ScheduleDeleted,
    ScheduleDisabled,
    ScheduleEnabled,
    ScheduleSkipped,
    ScheduleUpdated,
)
from rota.domain.worker import WorkerEvent

SOURCE = "rota"
"""Where a CloudEvent says that it comes from."""


def event_view(entry: LogEntry) -> View:
    """A CloudEvent 1.0, as on the bus so over HTTP."""
    return {
        "specversion": "1.0",
        "id": entry.id,
        "source": SOURCE,
        "type": f"scheduler.{entry.type}",
        "subject": entry.subject,
        "time": entry.at,
        "datacontenttype": "application/json",
        "tenantid": entry.tenant_id,
        "sequence": entry.position,
        "aggregateseq": entry.seq,
        "correlationid": entry.correlation_id,
        "traceparent": entry.traceparent,
        "data": RawJson(Json(entry.data)),
    }


def event_data(event: DomainEvent) -> View:
    """The `data` of the event's CloudEvent."""
    if isinstance(event, RunProgressed):
        return {**run_event_data(event), "progress": progress_view(event.progress)}
    if isinstance(event, RunEvent):
        return run_event_data(event)
    match event:
        case ScheduleCreated() | ScheduleUpdated():
            return schedule_view(event.schedule)
        case ScheduleEnabled():
            return {
                "version": event.version,
                "reason": event.reason,
                "nextFireAt": event.next_fire_at,
                "catchUp": event.make_up,
            }
        case ScheduleDisabled():
            return {"version": event.version, "reason": event.reason, "until": event.until}
        case ScheduleSkipped():
            return {
                "dueTimes": [due_time_view(due) for due in event.due_times],
                "nextFireAt": event.next_fire_at,
                "reason": event.reason,
            }
        case ScheduleDeleted():
            return {"version": event.version}
        case ScheduleAudited():
            return {"difference": event.difference, **span_view(event.span)}
        case RunsMissed():
            return {**span_view(event.span), "rule": event.rule}
        case JobCreated() | JobUpdated():
            return job_view(event.job)
        case CalendarCreated() | CalendarUpdated():
            return calendar_view(event.calendar)
        case JobDeleted() | CalendarDeleted():
            return {}
        case WorkerEvent():
            return {**worker_view(event.worker), "reason": event.reason}
    raise AssertionError(f"an event without a view: {event!r}")


def run_event_data(event: RunEvent) -> View:
    return {
        "runId": event.subject,
        "scheduleId": event.schedule_id,
        "job": event.job,
        "state": event.state,
        "cause": event.cause,
        "scheduledFor": event.scheduled_for,
        "dueAt": event.due_at,
        "firedAt": event.fired_at,
        "attempt": event.attempt,
        "workerId": event.worker_id,
        "reason": event.reason,
        "error": error_view(event.error),
    }
