"""A run: one execution, from being made to a final state.

Its states and the steps between them are told in `run_life`; here stands what may be done to it, and by whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from rota.domain.attempt import (
    WORKER_LOST,
    Outcome,
    Progress,
    RunError,
)
from rota.domain.delivery import Delivery
from rota.domain.errors import TransitionError
from rota.domain.ids import RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import JobTerms
from rota.domain.payload import Json
from rota.domain.run_events import (
    Cause,
    RunCancelRequested,
    RunCreated,
    RunProgressed,
    RunSkipped,
    RunStarted,
    RunState,
    RunSucceeded,
)
from rota.domain.run_life import CANCEL_GRACE, RunLife, earliest
from rota.domain.terms import Terms


@dataclass(slots=True, kw_only=True, eq=False)
class Run(RunLife):
    """One execution."""

    # Making one

    def accept(self) -> Self:
        """A new run that waits for its time, or, where that has come, for its turn."""
        self._note(RunCreated, self.created_at)
        if self.due_at > self.created_at:
            self.wake_at = self.due_at
        else:
            self._take_place(self.due_at)
        return self

    def accept_queued(self) -> Self:
        """A new run that may go at once."""
        self._queue(self.created_at)
        return self

    def accept_parked(self, gate: str) -> Self:
        """A new run that goes when the gate opens."""
        self._note(RunCreated, self.created_at)
        self._take_place(self.due_at)
        self.parked_on = gate
        return self

    def accept_skipped(self, reason: str) -> Self:
        """A new run that is never carried out: the record that its due time was seen, and why it did not go."""
        self._move(RunState.SKIPPED)
        self.reason = reason
        self.finished_at = self.created_at
        self._note(RunSkipped, self.created_at)
        return self

    # What the leader does

    def is_due(self, now: datetime) -> bool:
        """Whether its time has come, and it has no place yet among those that wait for their turn."""
        return self._waits and self.rank is None and self.wake_at is not None and self.wake_at <= now

    def line_up(self, now: datetime) -> None:
        """Its time has come: from now on it waits for its turn. Nobody's news."""
        if not self._waits:
            raise TransitionError("run", self.id, self.state, "wait for its turn")
        self._take_place(self.due_at if self.state is RunState.PENDING else now)
        self._alter()

    def park(self, gate: str) -> None:
        """Its turn came, and it may not go before the gate opens. Nobody's news."""
        if not self._waits or self.rank is None:
            raise TransitionError("run", self.id, self.state, "wait at a gate")
        self.parked_on = gate
        self._alter()

    def go(self, now: datetime) -> None:
        """Its turn has come: the next attempt is queued."""
        if not self._waits:
            raise TransitionError("run", self.id, self.state, "be queued")
        self._queue(now)

    def expire(self, now: datetime) -> bool:
        """Ends what has overrun a limit, and says whether it has: the attempt, or the run."""
        if self.state.is_final:
            raise TransitionError("run", self.id, self.state, "expire")
        if self.state is RunState.RUNNING:
            return self._expire_attempt(now)
        return self._expire_waiting(now)

    def look_again(self) -> None:
        """It was woken for nothing (its job's limits were changed): it is looked at again when the limits say."""
        if self.state is RunState.RUNNING:
            assert self.started_at is not None
            self.wake_at = self._attempt_ends(self.started_at)
        else:
            self.wake_at = self._overdue_at
        self._alter()

    def lose(self, now: datetime, reason: str) -> None:
        """The worker of this attempt is gone: counts, but waits no backoff."""
        error = RunError(WORKER_LOST, reason)
        self._end_attempt(Outcome.LOST, error, now)
        if self.cancel_requested_at is not None:
            self._cancelled(now)
        elif self._may_try_again(error):
            self._queue(now)
        else:
            self._bury(now)

    # What callers do

    def cancel(self, reason: str, now: datetime) -> None:
        """A RUNNING run is only asked: its worker has the last word, for a while. Asking again changes nothing."""
        if self.state.is_final:
            raise TransitionError("run", self.id, self.state, "be cancelled")
        if self.cancel_requested_at is not None:
            return
        self.cancel_requested_at = now
        self.reason = reason or None
        if self.state is RunState.RUNNING:
            self.wake_at = earliest(self.wake_at, now + CANCEL_GRACE)
            self._note(RunCancelRequested, now)
        else:
            self._end_queued(Outcome.CANCELLED, None, now)
            self._cancelled(now)

    def again(self, run_id: RunId, *, now: datetime, payload: Json | None = None) -> Run:
        """A new run for the same due time, of cause RETRY; not yet accepted. `payload` replaces the old one."""
        if not self.state.is_final:
            raise TransitionError("run", self.id, self.state, "be retried: it has not ended")
        return new_run(
            self.tenant_id,
            run_id,
            self.terms,
            Cause.RETRY,
            now=now,
            scheduled_for=self.scheduled_for,
            schedule_id=self.schedule_id,
            payload=self.payload if payload is None else payload,
            labels=self.labels,
            priority=self.priority,
            is_awaited=self.is_awaited,
            correlation_id=self.correlation_id,
            retry_of=self.id,
        )

    # What a worker's reports do

    def is_current(self, attempt: int, worker_id: WorkerId) -> bool:
        """Whether a report of this attempt from this worker counts: one of the owner, or the first of all."""
        if attempt != self.attempt:
            return False
        if self.state is RunState.QUEUED:
            return True
        return self.state is RunState.RUNNING and self.worker_id == worker_id

    def start(self, worker_id: WorkerId, place: int | None, now: datetime) -> None:
        """The attempt has an owner from here on. `place` is the report's in its stream."""
        self._move(RunState.RUNNING)
        self.worker_id = worker_id
        self.started_at = now
        self.started_place = place
        self.wake_at = self._attempt_ends(now)
        self._note(RunStarted, now)

    def note_progress(self, progress: Progress, now: datetime) -> None:
        if self.state is not RunState.RUNNING:
            raise TransitionError("run", self.id, self.state, "progress")
        self.progress = progress
        self.wake_at = self._attempt_ends(now)
        self._note(RunProgressed, now, progress=progress)

    def acknowledge_cancel(self, now: datetime) -> None:
        """The worker has heard that it is to stop. Nobody's news; without a request it means nothing."""
        if self.cancel_requested_at is not None and self.cancel_acknowledged_at is None:
            self.cancel_acknowledged_at = now
            self._alter()

    def succeed(self, result: Json | None, now: datetime) -> None:
        """Counts also when it was asked to stop: what is done is done."""
        self._move(RunState.SUCCEEDED)
        self.result = result
        self.error = None
        self.finished_at = now
        self.wake_at = None
        self._note(RunSucceeded, now)

    def fail(
        self,
        error: RunError,
        now: datetime,
        *,
        retryable: bool = True,
        retry_after: timedelta | None = None,
        answer: Json | None = None,
    ) -> None:
        """`retry_after` replaces the backoff."""
        self._end_attempt(Outcome.FAILED, error, now, answer)
        if retryable or self.cancel_requested_at is not None:
            self._settle_failure(error, now, retry_after)
        else:
            self._bury(now)

    def postpone(self, wait: timedelta, now: datetime, reason: str) -> None:
        """The attempt ends without counting, and the next one comes after `wait`."""
        if self.state is not RunState.RUNNING:
            raise TransitionError("run", self.id, self.state, "be postponed")
        self._keep_attempt(Outcome.RELEASED, None, now)
        self.reason = reason
        if self.cancel_requested_at is not None:
            self._cancelled(now)
        else:
            self._retry(now, wait)

    def stop(self, now: datetime) -> None:
        """The handler stopped because it was asked to; one that nobody asked has failed."""
        if self.state is not RunState.RUNNING:
            raise TransitionError("run", self.id, self.state, "stop")
        if self.cancel_requested_at is None:
            self.fail(RunError("Cancelled", "the worker stopped it, and nobody had asked"), now)
            return
        self._keep_attempt(Outcome.CANCELLED, None, now)
        self._cancelled(now)

    def release(self, now: datetime, reason: str) -> None:
        """The attempt ends without counting, and the next one is queued at once."""
        if self.state not in (RunState.QUEUED, RunState.RUNNING):
            raise TransitionError("run", self.id, self.state, "be released")
        self._keep_attempt(Outcome.RELEASED, None, now)
        if self.cancel_requested_at is not None:
            self._cancelled(now)
            return
        self.reason = reason
        self._queue(now)


def new_run(
    tenant_id: TenantId,
    run_id: RunId,
    terms: JobTerms | Delivery,
    cause: Cause,
    *,
    now: datetime,
    due_at: datetime | None = None,
    scheduled_for: datetime | None = None,
    fired_at: datetime | None = None,
    schedule_id: ScheduleId | None = None,
    payload: Json | None = None,
    dedupe_key: str | None = None,
    labels: dict[str, str] | None = None,
    priority: int | None = None,
    is_awaited: bool = False,
    retry_of: RunId | None = None,
    correlation_id: str | None = None,
    traceparent: str | None = None,
    fired_epoch: int | None = None,
) -> Run:
    """A run that is not yet accepted: due `now` unless told otherwise. Follow with one of the `accept`s."""
    due = due_at or now
    job = terms if isinstance(terms, JobTerms) else None
    key = job.key_in(payload) if job else None
    return Run(
        tenant_id=tenant_id,
        id=run_id,
        schedule_id=schedule_id,
        job=job,
        delivery=None if isinstance(terms, JobTerms) else terms,
        cause=cause,
        state=RunState.PENDING,
        scheduled_for=scheduled_for or due,
        due_at=due,
        created_at=now,
        fired_at=fired_at,
        payload=payload,
        dedupe_key=dedupe_key,
        labels=labels or {},
        priority=terms.priority if priority is None else priority,
        concurrency_key=key,
        is_awaited=is_awaited or key is not None or _is_counted(terms),
        retry_of=retry_of,
        correlation_id=correlation_id or str(run_id),
        traceparent=traceparent,
        fired_epoch=fired_epoch,
    )


def _is_counted(terms: Terms) -> bool:
    return terms.max_concurrent is not None
