"""What these contracts need beside the ordinary: runs that wait, deliveries, jobs with limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.support.builders import ACME, MINUTE, NOON, SECOND, a_job, next_id

from rota.application.ports.keys import RunKey
from rota.application.ports.store import Begin
from rota.domain.delivery import Delivery, EventReceiver, HttpReceiver, QueueReceiver, Receiver
from rota.domain.ids import JobId, RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import Job, JobTerms
from rota.domain.payload import Json
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.terms import RateLimit

EVENT = EventReceiver("orders.paid")
QUEUE = QueueReceiver("orders.paid", "warehouse")
HTTP = HttpReceiver(
    url="https://hooks.example.com:8443/paid?x=%20",
    method="PUT",
    headers=(("X-Team", "bi"), ("X-Team", 'zwei "½"')),
    body='{"größe":  1e2}',
    expect_status=(200, 418),
)

EVERY_TERM: dict[str, Any] = {  # Any: arguments of whoever has terms
    "retry": RetryPolicy(
        max_attempts=7,
        backoff=Backoff(
            kind=BackoffKind.LINEAR,
            initial=timedelta(milliseconds=1500),
            factor=1.5,
            longest=timedelta(microseconds=1),
            jitter=1 / 3,
        ),
        not_on=("ValueError", "größe"),
    ),
    "timeout": timedelta(days=365, microseconds=1),
    "start_by": timedelta(microseconds=1),
    "deadline": timedelta(days=300, microseconds=999_999),
    "heartbeat_timeout": 1.5 * SECOND,
    "rate_limit": RateLimit(3, timedelta(days=30, microseconds=7)),
    "priority": -7,
}


def a_job_with(name: str = "reports.daily", *, tenant_id: TenantId = ACME, **fields: Any) -> Job:  # Any: its fields
    job = a_job(name, tenant_id=tenant_id, job_id=JobId(next_id()))
    job.definition = replace(job.definition, **fields)
    return job


def a_keyed_job(name: str = "reports.daily", *, tenant_id: TenantId = ACME) -> Job:
    """Of the runs with the same payload's `/customer` one goes at a time."""
    return a_job_with(name, tenant_id=tenant_id, concurrency_key="/customer")


def a_delivery(receiver: Receiver = EVENT) -> Delivery:
    return Delivery(receiver=receiver)


def made(
    of: Job | Delivery,
    *,
    tenant_id: TenantId = ACME,
    due_at: datetime = NOON,
    now: datetime | None = None,
    customer: str | None = None,
    schedule_id: ScheduleId | None = None,
    cause: Cause = Cause.API,
    priority: int | None = None,
) -> Run:
    """Not yet accepted. A job's tenant is the run's."""
    terms: JobTerms | Delivery = of.terms() if isinstance(of, Job) else of
    return new_run(
        of.tenant_id if isinstance(of, Job) else tenant_id,
        RunId(next_id()),
        terms,
        cause,
        now=now or due_at,
        due_at=due_at,
        schedule_id=schedule_id,
        payload=None if customer is None else Json(f'{{"customer": "{customer}"}}'),
        priority=priority,
    )


def ready(of: Job | Delivery, due_at: datetime = NOON, **more: Any) -> Run:  # Any: as of `made`
    """It waits for its turn, since it was due."""
    return quiet(made(of, due_at=due_at, **more).accept())


def parked(of: Job | Delivery, gate: str, due_at: datetime = NOON, **more: Any) -> Run:  # Any: as of `made`
    return quiet(made(of, due_at=due_at, **more).accept_parked(gate))


def queued(of: Job | Delivery, at: datetime = NOON, **more: Any) -> Run:  # Any: as of `made`
    return quiet(made(of, due_at=at, **more).accept_queued())


def running(of: Job | Delivery, worker_id: WorkerId | None = None, at: datetime = NOON, **more: Any) -> Run:
    run = queued(of, at, **more)
    run.start(worker_id or WorkerId(next_id()), 1, at)
    return quiet(run)


def over(of: Job | Delivery, at: datetime = NOON, *, ended_at: datetime | None = None, **more: Any) -> Run:
    run = running(of, None, at, **more)
    run.succeed(None, ended_at or at)
    return quiet(run)


def later(minutes: float) -> datetime:
    return NOON + minutes * MINUTE


def quiet(run: Run) -> Run:
    """With nothing recorded on it."""
    run.pull_events()
    return run


async def put(begin: Begin, *runs: Run) -> None:
    """As they are, whatever has become of them already."""
    async with begin() as work:
        for run in runs:
            work.runs.add(run)
        await work.commit()
        assert work.runs.refused() == []


async def now_of(begin: Begin, run: Run) -> Run:
    """As it is stored."""
    async with begin() as work:
        return (await work.runs.peek([key_of(run)]))[key_of(run)]


def ran(of: Schedule, minute: float, cause: Cause = Cause.SCHEDULE) -> Run:
    """Its run of that due time, which is over."""
    return over(a_job(), later(minute), schedule_id=of.id, cause=cause)


def key_of(run: Run) -> RunKey:
    return (run.tenant_id, run.id)


def ids(found: Iterable[Run]) -> list[RunId]:
    return [run.id for run in found]


async def got(begin: Begin, schedule: Schedule) -> Schedule:
    async with begin() as work:
        return await work.schedules.get(schedule.tenant_id, schedule.id)


async def change(begin: Begin, schedule: Schedule, at: float, **fields: Any) -> None:  # Any: its definition's fields
    async with begin() as work:
        standing = await work.schedules.get(schedule.tenant_id, schedule.id)
        standing.change(replace(standing.definition, **fields), now=later(at))
        await work.commit()
