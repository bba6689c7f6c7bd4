"""How a schedule looks to those outside, and what becomes of its due times."""

from __future__ import annotations

from rota.application.views.jobs import retry_view
from rota.application.views.values import RawJson, View, seconds, seconds_or_null
from rota.domain.decision import Miss
from rota.domain.delivery import Delivery, EventReceiver, HttpReceiver, QueueReceiver
from rota.domain.explaining.explanation import Explanation
from rota.domain.misfire import DueTime, Misfire, Span
from rota.domain.payload import Json
from rota.domain.schedule_events import ScheduleSnapshot
from rota.domain.target import DeliveryTarget, JobTarget, Target
from rota.domain.time.zone import ClockChange
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OnBusinessDay, OneShot, OnEvent, Rrule, Trigger


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


def explanation_view(explanation: Explanation) -> View:
    return {
        "at": explanation.at,
        "scheduledFor": explanation.scheduled_for,
        "dueAt": explanation.due_at,
        "items": [{"rule": step.rule, "outcome": step.outcome, "detail": step.detail} for step in explanation.steps],
    }
