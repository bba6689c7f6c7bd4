"""Definitions as stored JSON. Durations are seconds; a field that is missing has its default."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from rota.application.json import dump, load
from rota.domain import job as jobs
from rota.domain.calendars.business_days import BusinessDay, Period
from rota.domain.calendars.settling import OnClosed
from rota.domain.delivery import Delivery, DeliveryKind, EventReceiver, HttpReceiver, QueueReceiver, Receiver
from rota.domain.ids import CalendarId, JobId
from rota.domain.job import JobDefinition, JobTerms
from rota.domain.misfire import Misfire, MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.schedule_definition import CalendarRule, ScheduleDefinition
from rota.domain.target import DeliveryTarget, JobTarget, Target
from rota.domain.terms import RateLimit, Terms
from rota.domain.time import zone
from rota.domain.time.zone import ClockChange
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OnBusinessDay, OneShot, OnEvent, Rrule, Trigger
from rota.infrastructure.postgres.values import duration, instant, instant_text, seconds

# Jobs


def dump_job(job: JobDefinition) -> str:
    return dump(
        {
            "name": job.name,
            "queue": job.queue,
            "capabilities": job.capabilities,
            **_dump_terms(job),
            **_given(
                labels=job.labels or None,
                concurrency_key=job.concurrency_key,
                max_concurrent=job.max_concurrent,
                payload_schema=job.payload_schema,
                retention=seconds(job.retention),
            ),
        }
    )


@lru_cache(maxsize=10_000)
def load_job(text: str) -> JobDefinition:
    stored = load(text)
    return JobDefinition(
        name=stored["name"],
        queue=stored["queue"],
        capabilities=tuple(stored["capabilities"]),
        labels=stored.get("labels", {}),
        concurrency_key=stored.get("concurrency_key"),
        max_concurrent=stored.get("max_concurrent"),
        payload_schema=stored.get("payload_schema"),
        retention=duration(stored.get("retention")),
        **_load_terms(stored),
    )


@lru_cache(maxsize=10_000)
def job_terms(job_id: UUID, definition: str) -> JobTerms:
    return jobs.job_terms(JobId(job_id), load_job(definition))


# Deliveries


def dump_delivery(delivery: Delivery) -> str:
    return dump({"receiver": _dump_receiver(delivery.receiver), **_dump_terms(delivery)})


@lru_cache(maxsize=10_000)
def load_delivery(text: str) -> Delivery:
    stored = load(text)
    return Delivery(receiver=_load_receiver(stored["receiver"]), **_load_terms(stored))


def _dump_receiver(receiver: Receiver) -> dict[str, Any]:  # Any: JSON
    match receiver:
        case EventReceiver():
            return {"kind": receiver.kind, "topic": receiver.topic}
        case QueueReceiver():
            return {"kind": receiver.kind, "topic": receiver.topic, "broker": receiver.broker}
        case HttpReceiver():
            return {
                "kind": receiver.kind,
                "url": receiver.url,
                "method": receiver.method,
                "headers": receiver.headers,
                "body": receiver.body,
                "expect_status": receiver.expect_status,
            }


def _load_receiver(stored: dict[str, Any]) -> Receiver:  # Any: JSON
    match DeliveryKind(stored["kind"]):
        case DeliveryKind.EVENT:
            return EventReceiver(stored["topic"])
        case DeliveryKind.QUEUE:
            return QueueReceiver(stored["topic"], stored["broker"])
        case DeliveryKind.HTTP:
            return HttpReceiver(
                url=stored["url"],
                method=stored["method"],
                headers=tuple((name, value) for name, value in stored["headers"]),
                body=stored["body"],
                expect_status=tuple(stored["expect_status"]),
            )


# The terms of both


def _dump_terms(terms: Terms) -> dict[str, Any]:  # Any: JSON
    """Without `max_concurrent`, which a delivery has no say in."""
    retry, backoff, limit = terms.retry, terms.retry.backoff, terms.rate_limit
    return {
        "timeout": terms.timeout.total_seconds(),
        "retry": {
            "max_attempts": retry.max_attempts,
            "kind": backoff.kind,
            "initial": backoff.initial.total_seconds(),
            "factor": backoff.factor,
            "longest": backoff.longest.total_seconds(),
            "jitter": backoff.jitter,
            **_given(not_on=retry.not_on or None),
        },
        **_given(
            start_by=seconds(terms.start_by),
            deadline=seconds(terms.deadline),
            heartbeat_timeout=seconds(terms.heartbeat_timeout),
            rate_limit=limit and {"count": limit.count, "per": limit.per.total_seconds()},
            priority=terms.priority or None,
        ),
    }


def _load_terms(stored: dict[str, Any]) -> dict[str, Any]:  # Any: JSON, and arguments of whoever has terms
    retry, limit = stored["retry"], stored.get("rate_limit")
    return {
        "retry": RetryPolicy(
            max_attempts=retry["max_attempts"],
            backoff=Backoff(
                kind=BackoffKind(retry["kind"]),
                initial=timedelta(seconds=retry["initial"]),
                factor=retry["factor"],
                longest=timedelta(seconds=retry["longest"]),
                jitter=retry["jitter"],
            ),
            not_on=tuple(retry.get("not_on", ())),
        ),
        "timeout": timedelta(seconds=stored["timeout"]),
        "start_by": duration(stored.get("start_by")),
        "deadline": duration(stored.get("deadline")),
        "heartbeat_timeout": duration(stored.get("heartbeat_timeout")),
        "rate_limit": limit and RateLimit(limit["count"], timedelta(seconds=limit["per"])),
        "priority": stored.get("priority", 0),
    }


# Schedules


def dump_schedule(schedule: ScheduleDefinition) -> str:
    """Without the target, which has columns of its own."""
    return dump(
        {
            "name": schedule.name,
            "description": schedule.description,
            "labels": schedule.labels,
            "tz": schedule.tz,
            "trigger": _dump_trigger(schedule.trigger),
            "misfire": {
                "policy": schedule.misfire.policy,
                "grace": schedule.misfire.grace.total_seconds(),
                "window": seconds(schedule.misfire.catchup_window),
            },
            "start_at": instant_text(schedule.start_at),
            "end_at": instant_text(schedule.end_at),
            "max_runs": schedule.max_runs,
            "overlap": schedule.overlap,
            "priority": schedule.priority,
            **_given(calendar=_dump_rule(schedule.calendar), jitter=seconds(schedule.jitter or None)),
        }
    )


@lru_cache(maxsize=20_000)
def load_schedule(
    text: str, payload: Json | None, job_id: UUID | None, job: str | None, delivery: str | None
) -> ScheduleDefinition:
    """The target is either a job (its id and stored definition) or a stored delivery."""
    stored = load(text)
    misfire = stored["misfire"]
    return ScheduleDefinition(
        name=stored["name"],
        description=stored["description"],
        labels=stored["labels"],
        tz=stored["tz"],
        trigger=_load_trigger(stored["trigger"]),
        target=_target(payload, job_id, job, delivery),
        misfire=Misfire(
            policy=MisfirePolicy(misfire["policy"]),
            grace=timedelta(seconds=misfire["grace"]),
            catchup_window=duration(misfire["window"]),
        ),
        start_at=instant(stored["start_at"]),
        end_at=instant(stored["end_at"]),
        max_runs=stored["max_runs"],
        overlap=Overlap(stored.get("overlap", Overlap.ALLOW)),
        priority=stored.get("priority"),
        calendar=_load_rule(stored.get("calendar")),
        jitter=timedelta(seconds=stored.get("jitter", 0)),
    )


def _dump_rule(rule: CalendarRule | None) -> dict[str, Any] | None:  # Any: JSON
    return None if rule is None else {"id": rule.calendar_id, "on_closed": rule.on_closed}


def _load_rule(stored: dict[str, str] | None) -> CalendarRule | None:
    return None if stored is None else CalendarRule(CalendarId(UUID(stored["id"])), OnClosed(stored["on_closed"]))


def _target(payload: Json | None, job_id: UUID | None, job: str | None, delivery: str | None) -> Target:
    if delivery is not None:
        return DeliveryTarget(load_delivery(delivery), payload)
    assert job_id is not None, "a target is a job or a delivery"
    assert job is not None, "its job is stored"
    return JobTarget(job_terms(job_id, job), payload)


def _dump_trigger(trigger: Trigger) -> dict[str, Any]:  # Any: JSON
    match trigger:
        case Cron():
            return {"type": trigger.kind, "cron": trigger.cron, **_given(dst=_dump_change(trigger.dst))}
        case Rrule():
            return {
                "type": trigger.kind,
                "rrule": trigger.rrule,
                **_given(start_at=instant_text(trigger.start_at), dst=_dump_change(trigger.dst)),
            }
        case OnBusinessDay(rule):
            return {
                "type": trigger.kind,
                "day": rule.day,
                "of": rule.of,
                "at": rule.at.isoformat(),
                **_given(dst=_dump_change(rule.dst)),
            }
        case OneShot():
            return {"type": trigger.kind, "start_at": instant_text(trigger.start_at)}
        case FixedRate():
            return {
                "type": trigger.kind,
                "every": trigger.every.total_seconds(),
                "anchor_at": instant_text(trigger.anchor_at),
            }
        case FixedDelay():
            return {"type": trigger.kind, "delay": trigger.delay.total_seconds()}
        case OnEvent():
            return {"type": trigger.kind, "subject": trigger.subject, "filter": trigger.filter}
    raise AssertionError(f"a trigger that is not stored: {trigger!r}")


def _load_trigger(stored: dict[str, Any]) -> Trigger:  # Any: JSON
    match stored["type"]:
        case Cron.kind:
            return Cron(stored["cron"], _load_change(stored.get("dst")))
        case Rrule.kind:
            return Rrule(stored["rrule"], instant(stored.get("start_at")), _load_change(stored.get("dst")))
        case OnBusinessDay.kind:
            return OnBusinessDay(
                BusinessDay(
                    day=stored["day"],
                    of=Period(stored["of"]),
                    at=time.fromisoformat(stored["at"]),
                    dst=_load_change(stored.get("dst")),
                )
            )
        case OneShot.kind:
            return OneShot(datetime.fromisoformat(stored["start_at"]))
        case FixedRate.kind:
            return FixedRate(timedelta(seconds=stored["every"]), instant(stored["anchor_at"]))
        case FixedDelay.kind:
            return FixedDelay(timedelta(seconds=stored["delay"]))
        case OnEvent.kind:
            return OnEvent(stored["subject"], tuple((pointer, value) for pointer, value in stored["filter"]))
    raise AssertionError(f"a stored trigger of a later version: {stored['type']}")


def _dump_change(change: ClockChange | None) -> dict[str, str] | None:
    return None if change is None else {"gap": change.gap, "overlap": change.overlap}


def _load_change(stored: dict[str, str] | None) -> ClockChange | None:
    return None if stored is None else ClockChange(zone.Gap(stored["gap"]), zone.Overlap(stored["overlap"]))


# Values


def _given(**fields: Any) -> dict[str, Any]:  # Any: JSON
    """What is not None: most definitions leave most fields out, and the text is read with every run."""
    return {name: value for name, value in fields.items() if value is not None}
