"""Definitions as stored JSON. Durations are seconds; a field that is missing has its default."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from rota.application.json import dump, load
from rota.domain.ids import JobId
from rota.domain.job import JobDefinition, JobTerms
from rota.domain.misfire import Misfire, MisfirePolicy
from rota.domain.payload import Json
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.target import JobTarget
from rota.domain.trigger import Cron, FixedRate, OneShot, Trigger


def dump_job(job: JobDefinition) -> str:
    backoff = job.retry.backoff
    return dump(
        {
            "name": job.name,
            "queue": job.queue,
            "capabilities": job.capabilities,
            "timeout": job.timeout.total_seconds(),
            "retry": {
                "max_attempts": job.retry.max_attempts,
                "kind": backoff.kind,
                "initial": backoff.initial.total_seconds(),
                "factor": backoff.factor,
                "longest": backoff.longest.total_seconds(),
                "jitter": backoff.jitter,
            },
        }
    )


@lru_cache(maxsize=10_000)
def load_job(text: str) -> JobDefinition:
    stored = load(text)
    retry = stored["retry"]
    return JobDefinition(
        name=stored["name"],
        queue=stored["queue"],
        capabilities=tuple(stored["capabilities"]),
        timeout=timedelta(seconds=stored["timeout"]),
        retry=RetryPolicy(
            max_attempts=retry["max_attempts"],
            backoff=Backoff(
                kind=BackoffKind(retry["kind"]),
                initial=timedelta(seconds=retry["initial"]),
                factor=retry["factor"],
                longest=timedelta(seconds=retry["longest"]),
                jitter=retry["jitter"],
            ),
        ),
    )


@lru_cache(maxsize=10_000)
def job_terms(job_id: UUID, definition: str) -> JobTerms:
    job = load_job(definition)
    return JobTerms(JobId(job_id), job.name, job.queue, job.timeout, job.retry)


def dump_schedule(schedule: ScheduleDefinition) -> str:
    """Without the target, which has columns of its own."""
    window = schedule.misfire.catchup_window
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
                "window": None if window is None else window.total_seconds(),
            },
            "start_at": _text(schedule.start_at),
            "end_at": _text(schedule.end_at),
            "max_runs": schedule.max_runs,
        }
    )


@lru_cache(maxsize=20_000)
def load_schedule(text: str, payload: Json | None, job: JobTerms) -> ScheduleDefinition:
    stored = load(text)
    misfire = stored["misfire"]
    window = misfire["window"]
    return ScheduleDefinition(
        name=stored["name"],
        description=stored["description"],
        labels=stored["labels"],
        tz=stored["tz"],
        trigger=_load_trigger(stored["trigger"]),
        target=JobTarget(job, payload),
        misfire=Misfire(
            policy=MisfirePolicy(misfire["policy"]),
            grace=timedelta(seconds=misfire["grace"]),
            catchup_window=None if window is None else timedelta(seconds=window),
        ),
        start_at=_instant(stored["start_at"]),
        end_at=_instant(stored["end_at"]),
        max_runs=stored["max_runs"],
    )


def _dump_trigger(trigger: Trigger) -> dict[str, Any]:  # Any: JSON
    match trigger:
        case Cron():
            return {"type": trigger.kind, "cron": trigger.cron}
        case OneShot():
            return {"type": trigger.kind, "start_at": _text(trigger.start_at)}
        case FixedRate():
            return {
                "type": trigger.kind,
                "every": trigger.every.total_seconds(),
                "anchor_at": _text(trigger.anchor_at),
            }
    raise AssertionError(f"a trigger that is not stored: {trigger!r}")


def _load_trigger(stored: dict[str, Any]) -> Trigger:  # Any: JSON
    match stored["type"]:
        case Cron.kind:
            return Cron(stored["cron"])
        case OneShot.kind:
            return OneShot(datetime.fromisoformat(stored["start_at"]))
        case FixedRate.kind:
            return FixedRate(timedelta(seconds=stored["every"]), _instant(stored["anchor_at"]))
    raise AssertionError(f"a stored trigger of a later version: {stored['type']}")


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
