"""Aggregates as a test needs them: name what matters, the rest is ordinary. Nothing is recorded on them yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from rota.domain.attempt import RunError
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.open_days import OpenDays
from rota.domain.delivery import Delivery
from rota.domain.ids import CalendarId, JobId, RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import Job, JobDefinition
from rota.domain.misfire import Misfire, MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule, ScheduleDefinition
from rota.domain.target import DeliveryTarget, JobTarget
from rota.domain.trigger import FixedRate, Trigger
from rota.domain.worker import Beat, ReportSeq, Worker, WorkerState
from rota.infrastructure.memory.clock import CountingIds

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

ACME = TenantId("acme")
GLOBEX = TenantId("globex")

next_id = CountingIds()
"""Rising ids, none twice in one session."""

JOB_ID = JobId(next_id())
"""The id of `a_job()` as it comes, so that `a_run()` and `a_schedule()` are of that job without being told."""

FAILURE = RunError("ValueError", "no such report")


def a_job_definition(
    name: str = "reports.daily",
    *,
    queue: str = "default",
    capabilities: tuple[str, ...] = (),
    max_attempts: int = 3,
    not_on: tuple[str, ...] = (),
    backoff: Backoff | None = None,
    timeout: timedelta = 5 * MINUTE,
    **more: Any,
) -> JobDefinition:
    """Its backoff, unless given, is ten seconds sharp. `more` is what else a definition says."""
    fixed = Backoff(kind=BackoffKind.FIXED, initial=10 * SECOND, jitter=0)
    return JobDefinition(
        name=name,
        queue=queue,
        capabilities=capabilities,
        retry=RetryPolicy(max_attempts=max_attempts, backoff=backoff or fixed, not_on=not_on),
        timeout=timeout,
        **more,
    )


def a_job(
    name: str = "reports.daily",
    *,
    tenant_id: TenantId = ACME,
    job_id: JobId | None = None,
    now: datetime = NOON,
    from_registration: bool = False,
    **definition: Any,
) -> Job:
    """Jobs with another name or tenant than the ordinary one have ids of their own.

    `definition` is what `a_job_definition` takes.
    """
    is_ordinary = name == "reports.daily" and tenant_id == ACME
    own_id = job_id or (JOB_ID if is_ordinary else JobId(next_id()))
    said = a_job_definition(name, **definition)
    job = Job.create(tenant_id, own_id, said, now=now, from_registration=from_registration)
    job.pull_events()
    return job


def a_calendar(
    name: str = "DE-BY",
    *,
    tenant_id: TenantId = ACME,
    calendar_id: CalendarId | None = None,
    now: datetime = NOON,
    **definition: Any,
) -> Calendar:
    """Open from Monday to Friday, unless told otherwise. `definition` is what else it says."""
    said = CalendarDefinition(name=name, **definition)
    calendar = Calendar.create(tenant_id, calendar_id or CalendarId(next_id()), said, now=now)
    calendar.pull_events()
    return calendar


def a_run(
    state: RunState = RunState.PENDING,
    *,
    job: Job | None = None,
    run_id: RunId | None = None,
    cause: Cause = Cause.API,
    now: datetime = NOON,
    due_at: datetime | None = None,
    scheduled_for: datetime | None = None,
    schedule_id: ScheduleId | None = None,
    worker_id: WorkerId | None = None,
    place: int | None = 1,
    payload: Json | None = None,
    dedupe_key: str | None = None,
    labels: dict[str, str] | None = None,
    priority: int | None = None,
    delivery: Delivery | None = None,
) -> Run:
    """A run that came to `state` on its first attempt, everything at `now`. Its tenant is the job's.

    Of a delivery, where one is given, and not of a job.
    """
    of = job or a_job()
    run = new_run(
        of.tenant_id,
        run_id or RunId(next_id()),
        delivery or of.terms(),
        cause,
        now=now,
        due_at=due_at,
        scheduled_for=scheduled_for,
        schedule_id=schedule_id,
        payload=payload,
        dedupe_key=dedupe_key,
        labels=labels,
        priority=priority,
    )
    if state is RunState.PENDING:
        run.accept()
    elif state in (RunState.CANCELLED, RunState.SKIPPED):
        run.state = state
        run.finished_at = now
    else:
        run.accept_queued()
        carry_on(run, state, worker_id or WorkerId(next_id()), place, now)
    run.pull_events()
    return run


def carry_on(run: Run, to: RunState, worker_id: WorkerId, place: int | None, now: datetime) -> None:
    """Lets a worker bring a QUEUED run to `to`."""
    if to is not RunState.QUEUED:
        run.start(worker_id, place, now)
    match to:
        case RunState.SUCCEEDED:
            run.succeed(Json('{"rows": 3}'), now)
        case RunState.DEAD:
            run.fail(FAILURE, now, retryable=False)
        case RunState.RETRYING:
            run.fail(FAILURE, now)


def a_worker(
    state: WorkerState = WorkerState.ONLINE,
    *,
    tenant_id: TenantId = ACME,
    worker_id: WorkerId | None = None,
    name: str = "mill-1",
    jobs: tuple[str, ...] = ("reports.daily",),
    capabilities: tuple[str, ...] = (),
    slots: int = 20,
    now: datetime = NOON,
) -> Worker:
    worker = Worker.register(
        tenant_id,
        worker_id or WorkerId(next_id()),
        name=name,
        jobs=jobs,
        capabilities=capabilities,
        slots=slots,
        now=now,
    )
    if state is WorkerState.DRAINING:
        worker.drain(now=now)
    if state is WorkerState.OFFLINE:
        worker.give_up("silent", now=now)
    worker.pull_events()
    return worker


def a_beat(
    at: datetime = NOON,
    *,
    running: Iterable[RunId] = (),
    seq: int | None = 1,
    stream: str = "2026-01-01T00:00:00+00:00",
    slots: int = 20,
    draining: bool = False,
) -> Beat:
    """`seq` None is a worker that has reported nothing yet."""
    report_seq = None if seq is None else ReportSeq(stream, seq)
    return Beat(at, slots, frozenset(running), report_seq, draining)


def a_schedule_definition(
    trigger: Trigger | None = None,
    *,
    job: Job | None = None,
    name: str = "daily-report",
    tz: str = "UTC",
    payload: Json | None = None,
    labels: dict[str, str] | None = None,
    delivery: Delivery | None = None,
    policy: MisfirePolicy = MisfirePolicy.FIRE_ONCE,
    grace: timedelta = 30 * SECOND,
    catchup_window: timedelta | None = None,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    max_runs: int | None = None,
    overlap: Overlap = Overlap.ALLOW,
    priority: int | None = None,
    calendar: CalendarRule | None = None,
    jitter: timedelta = timedelta(0),
    description: str = "",
) -> ScheduleDefinition:
    """Due each full minute, unless a trigger is given; for the job, unless a delivery is."""
    return ScheduleDefinition(
        name=name,
        trigger=trigger or FixedRate(MINUTE, NOON),
        target=DeliveryTarget(delivery, payload) if delivery else JobTarget((job or a_job()).terms(), payload),
        tz=tz,
        description=description,
        labels=labels or {},
        misfire=Misfire(policy=policy, grace=grace, catchup_window=catchup_window),
        start_at=start_at,
        end_at=end_at,
        max_runs=max_runs,
        overlap=overlap,
        priority=priority,
        calendar=calendar,
        jitter=jitter,
    )


def a_schedule(
    trigger: Trigger | None = None,
    *,
    job: Job | None = None,
    schedule_id: ScheduleId | None = None,
    now: datetime = NOON,
    enabled: bool = True,
    open_days: OpenDays | None = None,
    **definition: Any,
) -> Schedule:
    """Created at `now`; due each full minute, `NOON` the first, unless a trigger is given. Its tenant is the job's.

    `definition` is what `a_schedule_definition` takes.
    """
    of = job or a_job()
    said = a_schedule_definition(trigger, job=of, **definition)
    own_id = schedule_id or ScheduleId(next_id())
    schedule = Schedule.create(of.tenant_id, own_id, said, now=now, enabled=enabled, open_days=open_days)
    schedule.pull_events()
    return schedule
