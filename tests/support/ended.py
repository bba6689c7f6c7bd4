"""Runs that have ended, made at an instant that their ids tell too, with all their events still on them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tests.support.builders import NOON, a_job, next_id

from rota.application.ports.store import Begin
from rota.domain.attempt import RunError
from rota.domain.delivery import Delivery
from rota.domain.ids import RunId, ScheduleId, WorkerId
from rota.domain.job import Job
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause, RunState


def id_of(instant: datetime) -> UUID:
    """A UUIDv7 made then; none comes twice."""
    milliseconds = int(instant.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | next_id().int & ((1 << 80) - 1))


def ended(
    state: RunState = RunState.SUCCEEDED,
    at: datetime = NOON,
    *,
    job: Job | None = None,
    delivery: Delivery | None = None,
    made_at: datetime | None = None,
    message: str = "no such report",
    schedule_id: ScheduleId | None = None,
    scheduled_for: datetime | None = None,
    cause: Cause = Cause.API,
    retry_of: RunId | None = None,
    labels: dict[str, str] | None = None,
) -> Run:
    """It was made and ended at that instant, unless told otherwise; one that is DEAD failed with that message."""
    of = job or a_job()
    made = made_at or at
    run = new_run(
        of.tenant_id,
        RunId(id_of(made)),
        delivery or of.terms(),
        cause,
        now=made,
        schedule_id=schedule_id,
        scheduled_for=scheduled_for,
        retry_of=retry_of,
        labels=labels,
    )
    if state is RunState.SKIPPED:
        return run.accept_skipped("OVERLAP")
    if state is RunState.CANCELLED:
        run.accept()
        run.cancel("not needed", at)
        return run
    run.accept_queued()
    run.start(WorkerId(next_id()), 1, made)
    if state is RunState.SUCCEEDED:
        run.succeed(None, at)
    elif state is RunState.DEAD:
        run.fail(RunError("ValueError", message), at, retryable=False)
    return run


async def keep(begin: Begin, *runs: Run) -> None:
    """Stores them as they are, with their events."""
    async with begin() as work:
        for run in runs:
            work.runs.add(run)
        await work.commit()
