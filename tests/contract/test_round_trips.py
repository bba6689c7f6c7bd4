"""Nothing is lost on the way into a store and back: each thing with every field set to something of its own."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import (
    EVENT,
    EVERY_TERM,
    HTTP,
    QUEUE,
    a_delivery,
    a_job_with,
    got,
    key_of,
    now_of,
    put,
    ready,
)
from tests.support.builders import ACME, FAILURE, HOUR, MINUTE, NOON, SECOND, a_calendar, a_schedule, next_id
from tests.support.stored import event_types, state, store

from rota.application.ports.log import EventLog
from rota.application.ports.reads import Reads
from rota.application.ports.store import Begin
from rota.domain.attempt import Attempt, Outcome, Progress, RunError
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.delivery import Delivery, Receiver
from rota.domain.ids import RunId, ScheduleId, WorkerId
from rota.domain.job import Job
from rota.domain.misfire import Misfire, MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule_definition import CalendarRule, ScheduleDefinition
from rota.domain.target import DeliveryTarget, JobTarget
from rota.domain.time import zone
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OnEvent, Rrule, Trigger

CALENDAR = a_calendar("größe")
ATTEMPTS = (
    Attempt(
        number=1,
        worker_id=WorkerId(next_id()),
        queued_at=NOON,
        started_at=NOON + SECOND,
        finished_at=NOON + MINUTE,
        outcome=Outcome.FAILED,
        error=RunError("IOError", "gone ½", stack="a\nb"),
        answer=Json('{"status":  502}'),
    ),
    Attempt(
        number=2, worker_id=None, queued_at=None, started_at=None, finished_at=NOON + HOUR, outcome=Outcome.RELEASED
    ),
)

MADE: dict[str, Any] = {  # Any: fields of a run
    "schedule_id": ScheduleId(next_id()),
    "cause": Cause.RETRY,
    "scheduled_for": NOON - HOUR,
    "due_at": NOON - MINUTE,
    "created_at": NOON - SECOND,
    "retry_of": RunId(next_id()),
    "payload": Json('{"rows":  1e2, "größe": null}'),
    "priority": -100,
    "concurrency_key": '"ACME ½"',
    "dedupe_key": "order 17",
    "is_awaited": True,
    "labels": {"team": "bi", "größe": "½"},
    "correlation_id": "abc",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "fired_epoch": 7,
}
BECOME: dict[str, Any] = {  # Any: fields of a run
    "state": RunState.RETRYING,
    "fired_at": NOON,
    "queued_at": NOON + 1 * SECOND,
    "started_at": NOON + 2 * SECOND,
    "finished_at": NOON + 3 * SECOND,
    "cancel_requested_at": NOON + 4 * SECOND,
    "cancel_acknowledged_at": NOON + 5 * SECOND,
    "wake_at": NOON + 6 * SECOND,
    "rank": NOON + 7 * SECOND,
    "parked_on": "schedule:½",
    "attempt": 3,
    "attempts": ATTEMPTS,
    "worker_id": WorkerId(next_id()),
    "started_place": 2**40,
    "sends": 4,
    "result": Json('{"done":  true}'),
    "error": FAILURE,
    "fingerprint": "0123456789abcdef",
    "reason": "says ½",
    "progress": Progress(1 / 3, "half"),
}


def every_field_is_set(thing: Any, *left_out: str) -> bool:  # Any: any dataclass
    """To something else than its default: so a new field fails here until it is stored."""
    return all(
        getattr(thing, each.name) != (each.default_factory() if each.default_factory is not MISSING else each.default)
        for each in fields(thing)
        if each.name not in left_out
    )


def a_full_run(of: Job | Delivery) -> Run:
    terms = {"delivery": of} if isinstance(of, Delivery) else {"job": of.terms()}
    return Run(tenant_id=ACME, id=RunId(next_id()), seq=5, **terms, **MADE, **BECOME)


class RoundTripsContract:
    @pytest.fixture
    async def job(self, begin: Begin) -> Job:
        stored = a_job_with(
            labels={"team": "bi"},
            queue="reports",
            capabilities=("gpu", "日報"),
            concurrency_key="/customer/~0id",
            max_concurrent=17,
            payload_schema=Json('{"type":  "object"}'),
            retention=timedelta(days=36_000, microseconds=1),
            **EVERY_TERM,
        )
        stored.from_registration = True
        await store(begin, stored, CALENDAR)
        return stored

    # Jobs

    async def test_a_job(self, begin: Begin, job: Job) -> None:
        assert every_field_is_set(job.definition)

        async with begin() as work:
            assert state(await work.jobs.get(ACME, job.id)) == state(job)

    async def test_a_job_whose_finished_runs_are_not_kept_at_all(self, begin: Begin) -> None:
        job = a_job_with(retention=timedelta(0))
        await store(begin, job)

        async with begin() as work:
            assert (await work.jobs.get(ACME, job.id)).definition == job.definition

    # Runs

    async def test_a_run_of_a_job(self, begin: Begin, job: Job) -> None:
        run = a_full_run(job)
        assert every_field_is_set(run, "delivery", "_recorded", "_altered")

        await put(begin, run)

        assert state(await now_of(begin, run)) == state(run)
        assert (await now_of(begin, run)).job == job.terms()

    @pytest.mark.parametrize("receiver", [EVENT, QUEUE, replace(QUEUE, broker=None), HTTP, replace(HTTP, body=None)])
    async def test_a_delivery(self, begin: Begin, receiver: Receiver) -> None:
        run = a_full_run(Delivery(receiver=receiver, **EVERY_TERM))
        assert every_field_is_set(run.delivery, "max_concurrent")

        await put(begin, run)

        assert state(await now_of(begin, run)) == state(run)

    async def test_a_delivery_on_ordinary_terms(self, begin: Begin, reads: Reads) -> None:
        run = ready(a_delivery())

        await put(begin, run)

        assert state(await reads.run(ACME, run.id)) == state(run)
        assert (await now_of(begin, run)).terms == run.terms

    async def test_everything_that_a_run_can_become(self, begin: Begin, job: Job) -> None:
        run = ready(job)
        await put(begin, run)

        async with begin() as work:
            known = (await work.runs.load([key_of(run)]))[key_of(run)]
            for name, value in BECOME.items():
                setattr(known, name, value)
            known._alter()
            await work.commit()

        assert state(await now_of(begin, run)) == state(known)

    async def test_a_change_that_is_nobodys_news_is_stored_without_an_event(
        self, begin: Begin, job: Job, log: EventLog
    ) -> None:
        run = ready(job)
        await put(begin, run)

        async with begin() as work:
            (known,) = (await work.runs.load([key_of(run)])).values()
            known.park("key:a")
            await work.commit()

        assert state(await now_of(begin, run)) == state(run) | {"parked_on": "key:a"}
        assert await event_types(log) == []
        assert not known.is_changed

    # Schedules

    @pytest.mark.parametrize(
        "trigger",
        [
            Cron("0 9 * * 1-5", zone.ClockChange(zone.Gap.SKIP, zone.Overlap.BOTH)),
            Cron("0 9 * * 1-5"),
            Rrule("FREQ=DAILY;COUNT=3\nEXDATE:20260303T000000"),
            Rrule("FREQ=DAILY", datetime(2026, 3, 1, 9), zone.ClockChange(zone.Gap.SHIFT, zone.Overlap.LAST)),
            FixedDelay(timedelta(microseconds=1)),
            OnEvent("orders.*.>", (("/kind", '"paid ½"'), ("/rows/0", "1e2"))),
            OnEvent("orders"),
        ],
    )
    async def test_a_schedule_with_each_trigger(self, begin: Begin, job: Job, trigger: Trigger) -> None:
        schedule = a_schedule(trigger, job=job)
        await store(begin, schedule)

        assert state(await got(begin, schedule)) == state(schedule)

    async def test_a_schedule(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        schedule.definition = a_full_definition(job)
        schedule.open_days = OpenDays(CALENDAR.definition)
        schedule.last_fire_at = schedule.decided_to = schedule.armed_from = NOON
        schedule.disabled_until = NOON
        schedule.ahead = frozenset({NOON + MINUTE, NOON + HOUR})
        schedule.runs_made = schedule.fired_epoch = schedule.version = 3
        assert every_field_is_set(schedule.definition)
        assert every_field_is_set(schedule, "seq", "enabled", "deleted_at", "_recorded", "_altered", "_laid")

        await store(begin, schedule)

        assert state(await got(begin, schedule)) == state(schedule)

    @pytest.mark.parametrize("receiver", [EVENT, QUEUE, HTTP])
    async def test_a_schedule_of_a_delivery(self, begin: Begin, job: Job, reads: Reads, receiver: Receiver) -> None:
        target = DeliveryTarget(Delivery(receiver=receiver, **EVERY_TERM), Json("[1]"))
        schedule = a_schedule(job=job)
        schedule.definition = replace(a_full_definition(job), target=target)
        schedule.open_days = OpenDays(CALENDAR.definition)

        await store(begin, schedule)

        assert state(await got(begin, schedule)) == state(schedule)
        assert state(await reads.schedule(ACME, schedule.id)) == state(schedule)
        async with begin() as work:
            (due,) = await work.schedules.due(NOON, 10)
        assert due.definition == schedule.definition

    async def test_a_schedule_that_comes_to_deliver_and_what_it_did_before(self, begin: Begin, job: Job) -> None:
        schedule = a_schedule(job=job)
        await store(begin, schedule)
        target = DeliveryTarget(a_delivery(HTTP), Json("[1]"))

        for definition in (replace(schedule.definition, target=target), schedule.definition):
            async with begin() as work:
                known = await work.schedules.get(ACME, schedule.id)
                known.change(definition, now=NOON)
                await work.commit()
            assert (await got(begin, schedule)).definition == definition

        async with begin() as work:
            targets = [
                (await work.schedules.at_revisions([(ACME, schedule.id, revision)]))[0].definition.target
                for revision in (1, 2, 3)
            ]
        assert targets == [JobTarget(job.terms()), target, JobTarget(job.terms())]

    async def test_a_change_of_a_schedule_that_is_nobodys_news(self, begin: Begin, job: Job, log: EventLog) -> None:
        schedule = a_schedule(FixedDelay(MINUTE), job=job)
        schedule.next = None
        await store(begin, schedule)

        async with begin() as work:
            known = await work.schedules.get(ACME, schedule.id)
            known.run_ended(NOON)
            await work.commit()

        again = await got(begin, schedule)
        assert again.next is not None
        assert (again.next.due_at, again.version, again.seq) == (NOON + MINUTE, 1, 0)
        assert await event_types(log) == []


def a_full_definition(job: Job) -> ScheduleDefinition:
    return ScheduleDefinition(
        name="daily-report",
        trigger=FixedRate(MINUTE),
        target=JobTarget(job.terms(), Json('{"kind": "full",  "rows": 1e2}')),
        tz="Europe/Berlin",
        description="each day ½",
        labels={"team": "bi", "größe": "½"},
        misfire=Misfire(policy=MisfirePolicy.FIRE_ALL, grace=1.5 * SECOND, catchup_window=HOUR),
        start_at=NOON,
        end_at=NOON + 48 * HOUR,
        max_runs=7,
        overlap=Overlap.QUEUE_ONE,
        priority=-5,
        calendar=CalendarRule(CALENDAR.id, OnClosed.PREVIOUS_OPEN),
        jitter=timedelta(microseconds=1),
    )


class TestInMemoryRoundTrips(InMemory, RoundTripsContract):
    pass


class TestPostgresRoundTrips(OnPostgres, RoundTripsContract):
    pass
