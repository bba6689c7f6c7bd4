"""Definitions that earlier versions stored are read as they were meant."""

from __future__ import annotations

from datetime import timedelta

from tests.support.builders import NOON, a_job, a_job_definition, next_id

from rota.application.json import load
from rota.domain.delivery import Delivery, HttpReceiver
from rota.domain.ids import JobId
from rota.domain.job import JobDefinition, job_terms
from rota.domain.misfire import Misfire
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.target import JobTarget
from rota.domain.trigger import Cron
from rota.infrastructure.postgres import definitions
from rota.infrastructure.postgres.definitions import (
    dump_delivery,
    dump_job,
    dump_schedule,
    load_delivery,
    load_job,
    load_schedule,
)

FIRST_JOB = (
    '{"name":"reports.daily","queue":"default","capabilities":["gpu"],"timeout":300.0,"retry":{"max_attempts":3,'
    '"kind":"FIXED","initial":10.0,"factor":2.0,"longest":3600.0,"jitter":0.0}}'
)
FIRST_SCHEDULE = (
    '{"name":"daily","description":"","labels":{},"tz":"UTC","trigger":{"type":"CRON","cron":"0 9 * * *"},'
    '"misfire":{"policy":"FIRE_ONCE","grace":30.0,"window":null},"start_at":null,"end_at":null,"max_runs":null}'
)
RETRY = RetryPolicy(max_attempts=3, backoff=Backoff(kind=BackoffKind.FIXED, initial=timedelta(seconds=10), jitter=0))


def test_a_job_of_the_first_version_has_no_limits() -> None:
    expected = JobDefinition(name="reports.daily", capabilities=("gpu",), timeout=timedelta(seconds=300), retry=RETRY)

    assert load_job(FIRST_JOB) == expected


def test_a_schedule_of_the_first_version_lets_its_runs_overlap() -> None:
    job_id = JobId(next_id())

    loaded = load_schedule(FIRST_SCHEDULE, None, job_id, FIRST_JOB, None)

    assert loaded == ScheduleDefinition(
        name="daily",
        trigger=Cron("0 9 * * *"),
        target=JobTarget(job_terms(job_id, load_job(FIRST_JOB))),
        tz="UTC",
        misfire=Misfire(),
    )


def test_what_nobody_has_said_is_not_stored() -> None:
    """The text of a job is read with each of its runs, and most jobs say little."""
    assert load(dump_job(a_job_definition(capabilities=("gpu",)))) == load(FIRST_JOB)


def test_equal_texts_are_read_once() -> None:
    job, delivery = (
        dump_job(a_job_definition()),
        dump_delivery(Delivery(receiver=HttpReceiver(url="https://a.example"))),
    )
    schedule = (FIRST_SCHEDULE, None, a_job().id, FIRST_JOB, None)

    assert load_job(job) is load_job("".join(job))
    assert load_delivery(delivery) is load_delivery("".join(delivery))
    assert load_schedule(*schedule) is load_schedule(*schedule)
    assert definitions.job_terms(a_job().id, job) is definitions.job_terms(a_job().id, job)


def test_instants_keep_their_offsets_and_their_lack_of_one() -> None:
    loaded = load_schedule(
        FIRST_SCHEDULE.replace('"start_at":null', f'"start_at":"{NOON.isoformat()}"'), None, a_job().id, FIRST_JOB, None
    )

    assert loaded.start_at == NOON
    assert f'"start_at":"{NOON.isoformat()}"' in dump_schedule(loaded)
