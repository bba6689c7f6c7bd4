"""How a thing looks to those outside: the JSON of the contract, for answers and for events alike.

Values are plain: dict, list, str, int, float, bool, None, and also datetime (aware, UTC), UUID and
Json, which whoever serialises writes as RFC 3339 with `Z`, as text, and as the JSON it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time, timedelta
from typing import TypeAlias

from rota.application.ports.bus import Control
from rota.application.ports.log import LogEntry
from rota.domain.aggregate import DomainEvent
from rota.domain.attempt import Attempt, Progress, RunError
from rota.domain.calendar import CalendarCreated, CalendarDeleted, CalendarSnapshot, CalendarUpdated
from rota.domain.calendars.definition import (
    Closure,
    EasterOffset,
    ExtraOpenDay,
    FixedDate,
    Holiday,
    NthWeekday,
    OpeningHours,
    PublicHolidays,
    Weekday,
)
from rota.domain.calendars.open_days import DayVerdict
from rota.domain.delivery import Delivery, EventReceiver, HttpReceiver, QueueReceiver
from rota.domain.job import JobCreated, JobDeleted, JobSnapshot, JobUpdated
from rota.domain.misfire import DueTime, Misfire, Span
from rota.domain.payload import Json
from rota.domain.retry import RetryPolicy
from rota.domain.run import Run
from rota.domain.run_events import RunEvent, RunProgressed, RunState
from rota.domain.schedule import Miss
from rota.domain.schedule_events import (
    RunsMissed,
    ScheduleCreated,
    ScheduleDeleted,
    ScheduleDisabled,
    ScheduleEnabled,
    ScheduleSkipped,
    ScheduleSnapshot,
    ScheduleUpdated,
)
from rota.domain.target import DeliveryTarget, JobTarget, Target
from rota.domain.terms import RateLimit
from rota.domain.time.zone import ClockChange
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OnBusinessDay, OneShot, OnEvent, Rrule, Trigger
from rota.domain.worker import WorkerEvent, WorkerSnapshot

View: TypeAlias = dict[str, object]

SOURCE = "rota"
"""Where a CloudEvent says that it comes from."""


class RawJson:
    """Marks a text that is JSON already."""

    __slots__ = ("text",)

    def __init__(self, text: Json | None) -> None:
        self.text = text or "null"


def schedule_view(schedule: ScheduleSnapshot) -> View:
    own = schedule.definition
    delivery = own.target.delivery if isinstance(own.target, DeliveryTarget) else None
    return {
        "id": schedule.id,
        "tenantId": schedule.tenant_id,
        "name": own.name,
        "description": own.description,
        "labels": own.labels,
        "tz": own.tz,
        "enabled": schedule.enabled,
        "disabledUntil": schedule.disabled_until,
        "trigger": trigger_view(own.trigger),
        "target": target_view(own.target),
        "retry": delivery and retry_view(delivery.retry),
        "timeoutSec": delivery and seconds(delivery.timeout),
        "calendar": own.calendar and {"calendarId": own.calendar.calendar_id, "onClosed": own.calendar.on_closed},
        "misfire": misfire_view(own.misfire),
        "overlap": own.overlap,
        "jitterSec": seconds(own.jitter),
        "startAt": own.start_at,
        "endAt": own.end_at,
        "maxRuns": own.max_runs,
        "priority": own.priority,
        "nextFireAt": schedule.next_fire_at,
        "lastFireAt": schedule.last_fire_at,
        "createdAt": schedule.created_at,
        "updatedAt": schedule.updated_at,
        "version": schedule.version,
    }


def trigger_view(trigger: Trigger) -> View:
    match trigger:
        case Cron():
            return {"type": trigger.kind, "cron": trigger.cron, **_dst_view(trigger.dst)}
        case Rrule():
            return {
                "type": trigger.kind,
                "rrule": trigger.rrule,
                "startAt": trigger.start_at,
                **_dst_view(trigger.dst),
            }
        case OnBusinessDay(rule):
            return {
                "type": trigger.kind,
                "day": rule.day,
                "of": rule.of,
                "at": rule.at.isoformat(),
                **_dst_view(rule.dst),
            }
        case OneShot():
            return {"type": trigger.kind, "startAt": trigger.start_at}
        case FixedRate():
            return {"type": trigger.kind, "everySec": seconds(trigger.every), "anchorAt": trigger.anchor_at}
        case FixedDelay():
            return {"type": trigger.kind, "delaySec": seconds(trigger.delay)}
        case OnEvent():
            wanted = {pointer: RawJson(Json(value)) for pointer, value in trigger.filter}
            return {"type": trigger.kind, "subject": trigger.subject, "filter": wanted}
    raise AssertionError(f"a trigger without a view: {trigger!r}")


def _dst_view(change: ClockChange | None) -> View:
    """Only where something was said of clock changes: what goes without saying depends on the trigger."""
    return {} if change is None else {"dst": {"gap": change.gap, "overlap": change.overlap}}


def target_view(target: Target) -> View:
    match target:
        case JobTarget():
            what: View = {"job": target.job.name}
        case DeliveryTarget():
            what = receiver_view(target.delivery)
    return {"kind": target.kind, **what, "payload": RawJson(target.payload)}


def receiver_view(delivery: Delivery) -> View:
    receiver = delivery.receiver
    match receiver:
        case EventReceiver():
            return {"eventTopic": receiver.topic}
        case QueueReceiver():
            return {"queue": {"topic": receiver.topic, "broker": receiver.broker}}
        case HttpReceiver():
            return {
                "http": {
                    "url": receiver.url,
                    "method": receiver.method,
                    "headers": dict(receiver.headers),
                    "body": receiver.body,
                    "timeoutSec": seconds(delivery.timeout),
                    "expectStatus": list(receiver.expect_status),
                }
            }


def misfire_view(misfire: Misfire) -> View:
    return {
        "policy": misfire.policy,
        "graceSec": seconds(misfire.grace),
        "catchupWindowSec": seconds_or_null(misfire.catchup_window),
    }


def miss_view(miss: Miss) -> View:
    return {**span_view(miss.span), "rule": miss.rule, "decidedAt": miss.decided_at}


def due_time_view(due: DueTime) -> View:
    return {"scheduledFor": due.scheduled_for, "dueAt": due.due_at}


def span_view(span: Span) -> View:
    return {"first": span.first, "last": span.last, "count": span.count}


def job_view(job: JobSnapshot) -> View:
    own = job.definition
    return {
        "id": job.id,
        "tenantId": job.tenant_id,
        "name": own.name,
        "labels": own.labels,
        "queue": own.queue,
        "capabilities": list(own.capabilities),
        "retry": retry_view(own.retry),
        "timeoutSec": seconds(own.timeout),
        "startBySec": seconds_or_null(own.start_by),
        "deadlineSec": seconds_or_null(own.deadline),
        "heartbeatTimeoutSec": seconds_or_null(own.heartbeat_timeout),
        "maxConcurrent": own.max_concurrent,
        "concurrencyKey": own.concurrency_key,
        "rateLimit": own.rate_limit and rate_limit_view(own.rate_limit),
        "priority": own.priority,
        "payloadSchema": RawJson(own.payload_schema),
        "retentionSec": seconds_or_null(own.retention),
        "createdAt": job.created_at,
        "updatedAt": job.updated_at,
        "version": job.version,
    }


def calendar_view(calendar: CalendarSnapshot) -> View:
    own = calendar.definition
    return {
        "id": calendar.id,
        "tenantId": calendar.tenant_id,
        "name": own.name,
        "description": own.description,
        "labels": own.labels,
        "tz": own.tz,
        "workingDays": weekdays_view(own.working_days),
        "holidays": [holiday_view(each) for each in own.holidays],
        "closures": [closure_view(each) for each in own.closures],
        "extraOpenDays": [extra_open_day_view(each) for each in own.extra_open_days],
        "openingHours": [opening_hours_view(each) for each in own.opening_hours],
        "includes": list(own.includes),
        "createdAt": calendar.created_at,
        "updatedAt": calendar.updated_at,
        "version": calendar.version,
    }


def holiday_view(holiday: Holiday) -> View:
    match holiday:
        case FixedDate():
            what: View = {"month": holiday.month, "day": holiday.day, "name": holiday.name}
        case NthWeekday():
            what = {
                "month": holiday.month,
                "weekday": holiday.weekday.name,
                "nth": holiday.nth,
                "name": holiday.name,
            }
        case EasterOffset():
            what = {"offsetDays": holiday.offset, "orthodox": holiday.orthodox, "name": holiday.name}
        case PublicHolidays():
            what = {"country": holiday.country, "subdivision": holiday.subdivision}
        case _:
            raise AssertionError(f"a holiday without a view: {holiday!r}")
    return {"kind": holiday.kind, **what}


def closure_view(closure: Closure) -> View:
    return {"from": closure.first.isoformat(), "to": closure.last.isoformat(), "reason": closure.reason}


def extra_open_day_view(extra: ExtraOpenDay) -> View:
    return {"date": extra.day.isoformat(), "reason": extra.reason}


def opening_hours_view(hours: OpeningHours) -> View:
    closes = "24:00" if hours.closes == time(0) else local_time(hours.closes)
    return {"weekdays": weekdays_view(hours.weekdays), "from": local_time(hours.opens), "to": closes}


def weekdays_view(weekdays: Iterable[Weekday]) -> list[str]:
    return [weekday.name for weekday in sorted(weekdays)]


def day_view(verdict: DayVerdict) -> View:
    return {"date": verdict.day.isoformat(), "open": verdict.is_open, "reason": verdict.reason or None}


def local_time(at: time) -> str:
    """With seconds only where there are some."""
    return at.isoformat("seconds" if at.second else "minutes")


def retry_view(retry: RetryPolicy) -> View:
    backoff = retry.backoff
    return {
        "maxAttempts": retry.max_attempts,
        "notOn": list(retry.not_on),
        "backoff": {
            "kind": backoff.kind,
            "initialSec": seconds(backoff.initial),
            "factor": backoff.factor,
            "maxSec": seconds(backoff.longest),
            "jitter": backoff.jitter,
        },
    }


def rate_limit_view(limit: RateLimit) -> View:
    return {"count": limit.count, "perSec": seconds(limit.per)}


def run_view(run: Run) -> View:
    """`job` is null, and `target` says what it is instead, where Rota delivers itself."""
    return {
        "id": run.id,
        "tenantId": run.tenant_id,
        "scheduleId": run.schedule_id,
        "job": run.job and run.job.name,
        "target": "JOB" if run.delivery is None else run.delivery.receiver.kind,
        "cause": run.cause,
        "state": run.state,
        "scheduledFor": run.scheduled_for,
        "dueAt": run.due_at,
        "firedAt": run.fired_at,
        "queuedAt": run.queued_at,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "nextAttemptAt": run.next_attempt_at,
        "cancelRequestedAt": run.cancel_requested_at,
        "cancelAcknowledgedAt": run.cancel_acknowledged_at,
        "attempt": run.attempt,
        "attempts": [attempt_view(ended) for ended in run.attempts] + current_attempt_view(run),
        "workerId": run.worker_id,
        "retryOf": run.retry_of,
        "payload": RawJson(run.payload),
        "result": RawJson(run.result),
        "error": error_view(run.error),
        "fingerprint": run.fingerprint,
        "reason": run.reason,
        "progress": run.progress and progress_view(run.progress),
        "labels": run.labels,
        "priority": run.priority,
        "dedupeKey": run.dedupe_key,
        "correlationId": run.correlation_id,
        "traceparent": run.traceparent,
        "createdAt": run.created_at,
    }


def attempt_view(ended: Attempt) -> View:
    return {
        "attempt": ended.number,
        "workerId": ended.worker_id,
        "queuedAt": ended.queued_at,
        "startedAt": ended.started_at,
        "finishedAt": ended.finished_at,
        "outcome": ended.outcome,
        "error": error_view(ended.error),
        "answer": RawJson(ended.answer),
    }


def current_attempt_view(run: Run) -> list[View]:
    """The attempt that has not ended, or has ended in success; none while the run waits for the next."""
    if run.state not in (RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED):
        return []
    return [
        {
            "attempt": run.attempt,
            "workerId": run.worker_id,
            "queuedAt": run.queued_at,
            "startedAt": run.started_at,
            "finishedAt": run.finished_at,
            "outcome": "SUCCEEDED" if run.state is RunState.SUCCEEDED else None,
            "error": None,
            "answer": RawJson(run.result if run.delivery else None),
        }
    ]


def progress_view(progress: Progress) -> View:
    return {"value": progress.value, "note": progress.note}


def error_view(error: RunError | None) -> View | None:
    return None if error is None else {"type": error.type, "message": error.message, "stack": error.stack}


def worker_view(worker: WorkerSnapshot) -> View:
    return {
        "id": worker.id,
        "tenantId": worker.tenant_id,
        "name": worker.name,
        "state": worker.state,
        "jobs": list(worker.jobs),
        "capabilities": list(worker.capabilities),
        "slots": worker.slots,
        "running": worker.running,
        "lastSeenAt": worker.last_seen_at,
    }


def control_view(order: Control) -> View:
    return {"kind": order.kind, "runId": order.run_id, "attempt": order.attempt, "reason": order.reason}


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


def seconds_or_null(length: timedelta | None) -> float | int | None:
    return None if length is None else seconds(length)


def seconds(length: timedelta) -> float | int:
    """Decimal seconds; whole ones as an integer."""
    value = length.total_seconds()
    return int(value) if value.is_integer() else value
