"""A run: one execution, from being made to a final state.

    PENDING ──> QUEUED ──> RUNNING ──> SUCCEEDED
                  ^  ^       │ │
                  │  └───────┘ ├─────> DEAD          (lost or released: queued again at once)
                  └─ RETRYING <┘                     (failed: waits out a backoff)

PENDING, QUEUED, RUNNING and RETRYING may also end as CANCELLED, or as DEAD when the run overran its deadline or was
not started in time; a run may be SKIPPED from the start. A final state is never left. `attempt` is the number of the
current attempt, 0 before the first.

A run that waits (PENDING or RETRYING) waits for one of three things:
    its time      `wake_at` says until when; `rank` is None
    its turn      `rank` is its place among all that wait for credit in its lane
    a gate        `parked_on` names what must end first; `rank` is its place among those behind the same gate
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from rota.domain.aggregate import Aggregate
from rota.domain.attempt import (
    DEADLINE_EXCEEDED,
    HEARTBEAT_TIMEOUT,
    START_BY_EXCEEDED,
    TIMEOUT,
    WORKER_LOST,
    Attempt,
    Outcome,
    Progress,
    RunError,
)
from rota.domain.delivery import Delivery
from rota.domain.errors import TransitionError
from rota.domain.ids import RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import JobTerms
from rota.domain.payload import Json
from rota.domain.retry import LONGEST_WAIT, spread_of
from rota.domain.run_events import (
    FINAL,
    Cause,
    RunCancelled,
    RunCancelRequested,
    RunCreated,
    RunDead,
    RunEvent,
    RunFailed,
    RunProgressed,
    RunQueued,
    RunRetrying,
    RunSkipped,
    RunStarted,
    RunState,
    RunSucceeded,
)
from rota.domain.terms import Terms

TIMEOUT_SLACK = timedelta(seconds=5)
"""How much longer than `timeout` the server waits for the worker's own word on it."""

CANCEL_GRACE = timedelta(seconds=10)
"""How long a handler that was asked to stop may take; then the run is CANCELLED without it."""

AGEING = timedelta(minutes=1)
"""One step of priority is worth this much waiting: so nothing waits for ever behind what is more urgent."""


_STEPS: dict[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset({RunState.QUEUED, RunState.CANCELLED, RunState.DEAD, RunState.SKIPPED}),
    RunState.QUEUED: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.CANCELLED, RunState.DEAD}),
    RunState.RUNNING: frozenset(
        {RunState.SUCCEEDED, RunState.RETRYING, RunState.QUEUED, RunState.DEAD, RunState.CANCELLED}
    ),
    RunState.RETRYING: frozenset({RunState.QUEUED, RunState.CANCELLED, RunState.DEAD}),
} | {final: frozenset() for final in FINAL}


@dataclass(slots=True, kw_only=True, eq=False)
class Run(Aggregate):
    """Either `job` says what a worker carries out, or `delivery` what Rota delivers itself.

    `wake_at` is when the leader looks at the run again without being asked; None means never.
    `sends` counts how often the current attempt's work message was sent anew after a proven loss.
    `started_place` is where in the report stream the current attempt's STARTED stands.
    `is_awaited` says that something waits for its end: a schedule, or others behind a limit.
    """

    id: RunId
    schedule_id: ScheduleId | None
    job: JobTerms | None = None
    delivery: Delivery | None = None
    cause: Cause
    state: RunState
    scheduled_for: datetime
    due_at: datetime
    created_at: datetime
    fired_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancel_acknowledged_at: datetime | None = None
    wake_at: datetime | None = None
    rank: datetime | None = None
    parked_on: str | None = None
    attempt: int = 0
    attempts: tuple[Attempt, ...] = ()
    worker_id: WorkerId | None = None
    started_place: int | None = None
    sends: int = 0
    retry_of: RunId | None = None
    payload: Json | None = None
    result: Json | None = None
    error: RunError | None = None
    fingerprint: str | None = None
    reason: str | None = None
    progress: Progress | None = None
    priority: int = 0
    concurrency_key: str | None = None
    dedupe_key: str | None = None
    is_awaited: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    correlation_id: str | None = None
    traceparent: str | None = None
    fired_epoch: int | None = None

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
            self.wake_at = _earliest(self.deadline_at, self.start_by_at)
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
            self.wake_at = _earliest(self.wake_at, now + CANCEL_GRACE)
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
        self.attempts = (*self.attempts, self._ended(Outcome.RELEASED, None, now))
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
        self.attempts = (*self.attempts, self._ended(Outcome.CANCELLED, None, now))
        self._cancelled(now)

    def release(self, now: datetime, reason: str) -> None:
        """The attempt ends without counting, and the next one is queued at once."""
        if self.state not in (RunState.QUEUED, RunState.RUNNING):
            raise TransitionError("run", self.id, self.state, "be released")
        self.attempts = (*self.attempts, self._ended(Outcome.RELEASED, None, now))
        if self.cancel_requested_at is not None:
            self._cancelled(now)
            return
        self.reason = reason
        self._queue(now)

    # Limits

    @property
    def deadline_at(self) -> datetime | None:
        """When the whole run must have ended."""
        deadline = self.terms.deadline
        return None if deadline is None else self.due_at + deadline

    @property
    def start_by_at(self) -> datetime | None:
        """When the first attempt must have started; None once one has."""
        start_by = self.terms.start_by
        if start_by is None or any(ended.started_at for ended in self.attempts):
            return None
        return self.due_at + start_by

    def _attempt_ends(self, heard_at: datetime) -> datetime | None:
        """When the running attempt is overdue by one of its limits, if the handler says no more after `heard_at`."""
        terms = self.terms
        assert self.started_at is not None  # it is RUNNING
        silence = None if terms.heartbeat_timeout is None else heard_at + terms.heartbeat_timeout
        stopping = None if self.cancel_requested_at is None else self.cancel_requested_at + CANCEL_GRACE
        return _earliest(self.started_at + terms.timeout + TIMEOUT_SLACK, self.deadline_at, silence, stopping)

    def _expire_waiting(self, now: datetime) -> bool:
        deadline, start_by = self.deadline_at, self.start_by_at
        if deadline is not None and deadline <= now:
            self.error = RunError(DEADLINE_EXCEEDED, f"had not ended {_text(self.terms.deadline)} s after it was due")
        elif start_by is not None and start_by <= now:
            self.error = RunError(START_BY_EXCEEDED, f"had not started {_text(self.terms.start_by)} s after it was due")
        else:
            return False
        self._end_queued(Outcome.TIMED_OUT, self.error, now)
        self._bury(now)
        return True

    def _expire_attempt(self, now: datetime) -> bool:
        assert self.started_at is not None  # it is RUNNING
        terms, deadline = self.terms, self.deadline_at
        if self.cancel_requested_at is not None and self.cancel_requested_at + CANCEL_GRACE <= now:
            self.attempts = (*self.attempts, self._ended(Outcome.CANCELLED, None, now))
            self._cancelled(now)
        elif deadline is not None and deadline <= now:
            error = RunError(DEADLINE_EXCEEDED, f"had not ended {_text(terms.deadline)} s after it was due")
            self._end_attempt(Outcome.TIMED_OUT, error, now)
            self._bury(now)
        elif self.started_at + terms.timeout + TIMEOUT_SLACK <= now:
            self._time_out(RunError(TIMEOUT, f"no result within {_text(terms.timeout)} s"), now)
        elif self._is_silent(now):
            self._time_out(RunError(HEARTBEAT_TIMEOUT, f"no progress for {_text(terms.heartbeat_timeout)} s"), now)
        else:
            return False
        return True

    def _is_silent(self, now: datetime) -> bool:
        """Woken by none of its other limits, it was woken by this one; unless that has been prolonged meanwhile."""
        limit = self.terms.heartbeat_timeout
        if limit is None or self.wake_at is None or self.started_at is None:
            return False
        return self.wake_at <= now and self.started_at + limit <= now

    def _time_out(self, error: RunError, now: datetime) -> None:
        self._end_attempt(Outcome.TIMED_OUT, error, now)
        self._settle_failure(error, now)

    # Steps

    def _take_place(self, since: datetime) -> None:
        self.rank = since - self.priority * AGEING
        self.wake_at = _earliest(self.deadline_at, self.start_by_at)

    def _queue(self, now: datetime) -> None:
        self._move(RunState.QUEUED)
        self.attempt += 1
        self.sends = 0
        self.fired_at = self.fired_at or now
        self.queued_at = now
        self.started_at = None
        self.started_place = None
        self.worker_id = None
        self.progress = None
        self.rank = None
        self.parked_on = None
        self.wake_at = _earliest(self.deadline_at, self.start_by_at)
        self._note(RunQueued, now)

    def _settle_failure(self, error: RunError, now: datetime, retry_after: timedelta | None = None) -> None:
        if self.cancel_requested_at is not None:
            self._cancelled(now)
        elif self._may_try_again(error):
            self._retry(now, retry_after)
        else:
            self._bury(now)

    def _retry(self, now: datetime, retry_after: timedelta | None) -> None:
        if retry_after is not None:
            wait = min(max(retry_after, timedelta(0)), LONGEST_WAIT)
        else:
            wait = self.terms.retry.backoff.wait(self._counted_attempts(), spread_of(self.id, self.attempt))
        if self.deadline_at is not None and now + wait >= self.deadline_at:
            self.error = RunError(DEADLINE_EXCEEDED, f"the next attempt would come too late; {_short(self.error)}")
            self._bury(now)
            return
        self._move(RunState.RETRYING)
        self.wake_at = now + wait
        self._note(RunRetrying, now)

    def _bury(self, now: datetime) -> None:
        self._move(RunState.DEAD)
        self._finish(now)
        self.fingerprint = fingerprint_of(self._kind_of_work, self.error)
        self._note(RunDead, now)

    def _cancelled(self, now: datetime) -> None:
        self._move(RunState.CANCELLED)
        self._finish(now)
        self._note(RunCancelled, now)

    def _finish(self, now: datetime) -> None:
        self.finished_at = now
        self.wake_at = None
        self.rank = None
        self.parked_on = None

    def _end_attempt(self, outcome: Outcome, error: RunError, now: datetime, answer: Json | None = None) -> None:
        if self.state is not RunState.RUNNING:
            raise TransitionError("run", self.id, self.state, f"end an attempt as {outcome}")
        self.attempts = (*self.attempts, self._ended(outcome, error, now, answer))
        self.error = error
        self._note(RunFailed, now)

    def _end_queued(self, outcome: Outcome, error: RunError | None, now: datetime) -> None:
        """An attempt that nobody started is told too, if there is one."""
        if self.is_queued:
            self.attempts = (*self.attempts, self._ended(outcome, error, now))

    def _ended(self, outcome: Outcome, error: RunError | None, now: datetime, answer: Json | None = None) -> Attempt:
        return Attempt(
            number=self.attempt,
            worker_id=self.worker_id,
            queued_at=self.queued_at,
            started_at=self.started_at,
            finished_at=now,
            outcome=outcome,
            error=error,
            answer=answer,
        )

    def _may_try_again(self, error: RunError) -> bool:
        retry = self.terms.retry
        return error.type not in retry.not_on and retry.allows_another_after(self._counted_attempts())

    def _counted_attempts(self) -> int:
        return sum(1 for ended in self.attempts if ended.outcome is not Outcome.RELEASED)

    def _move(self, to: RunState) -> None:
        if to not in _STEPS[self.state]:
            raise TransitionError("run", self.id, self.state, f"become {to}")
        self.state = to

    def _note(self, event: type[RunEvent], now: datetime, **more: Progress) -> None:
        self._record(
            event(
                tenant_id=self.tenant_id,
                subject=self.id,
                at=now,
                correlation_id=self.correlation_id,
                traceparent=self.traceparent,
                schedule_id=self.schedule_id,
                job=self.job.name if self.job else None,
                state=self.state,
                cause=self.cause,
                scheduled_for=self.scheduled_for,
                due_at=self.due_at,
                fired_at=self.fired_at,
                attempt=self.attempt,
                worker_id=self.worker_id,
                reason=self.reason,
                error=self.error,
                **more,
            )
        )

    @property
    def terms(self) -> JobTerms | Delivery:
        """On which terms it is carried out."""
        if self.job is not None:
            return self.job
        assert self.delivery is not None, "a run is of a job, or a delivery"
        return self.delivery

    @property
    def lane(self) -> str:
        """What it shares with the runs that it stands in line with: its job, or its receiver."""
        return str(self.job.id) if self.job else self.delivery.receiver.lane if self.delivery else ""

    @property
    def is_queued(self) -> bool:
        return self.state is RunState.QUEUED

    @property
    def _waits(self) -> bool:
        return self.state in (RunState.PENDING, RunState.RETRYING)

    @property
    def next_attempt_at(self) -> datetime | None:
        """When the backoff ends; None while it waits for its turn, which no clock tells."""
        return self.wake_at if self.state is RunState.RETRYING and self.rank is None else None

    @property
    def _kind_of_work(self) -> str:
        return self.job.name if self.job else self.delivery.receiver.lane if self.delivery else ""


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


_DIGITS = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}|\d+")


def fingerprint_of(work: str, error: RunError | None) -> str:
    """The same for failures of the same work that differ only in their numbers and ids: 16 hexadecimal digits."""
    told = f"{work}\n{error.type}\n{_DIGITS.sub('#', error.message)}" if error else work
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:16]


def schedule_gate(schedule_id: ScheduleId) -> str:
    """The gate that opens when no earlier run of the schedule is unfinished."""
    return f"schedule:{schedule_id}"


def key_gate(terms: JobTerms, key: str) -> str:
    """The gate that opens when no run of the job with this concurrency key is queued or running."""
    return f"key:{terms.id}:{key}"


def _is_counted(terms: Terms) -> bool:
    return terms.max_concurrent is not None


def _earliest(*instants: datetime | None) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)


def _text(length: timedelta | None) -> str:
    return f"{length.total_seconds():g}" if length else "0"


def _short(error: RunError | None) -> str:
    return f"the last failed with {error.type}: {error.message}" if error else "the last failed"
