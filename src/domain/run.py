"""A run: one execution, from being made to a final state.

    PENDING ──> QUEUED ──> RUNNING ──> SUCCEEDED
                  ^  ^       │ │
                  │  └───────┘ ├─────> DEAD          (lost or released: queued again at once)
                  └─ RETRYING <┘                     (failed: waits out a backoff)

PENDING, QUEUED, RUNNING and RETRYING may also end as CANCELLED; a run may be SKIPPED from the start.
A final state is never left. `attempt` is the number of the current attempt, 0 before the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, NewType, Self

from rota.domain.aggregate import Aggregate, DomainEvent
from rota.domain.errors import TransitionError
from rota.domain.ids import RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import JobTerms
from rota.domain.retry import LONGEST_WAIT, spread_of

Json = NewType("Json", str)
"""A JSON text. The domain carries payloads and results and never looks into them."""

TIMEOUT_SLACK = timedelta(seconds=5)
"""How much longer than `timeout` the server waits for the worker's own word on it."""


class RunState(StrEnum):
    PENDING = "PENDING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    SUCCEEDED = "SUCCEEDED"
    DEAD = "DEAD"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({RunState.SUCCEEDED, RunState.DEAD, RunState.CANCELLED, RunState.SKIPPED})

_STEPS: dict[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset({RunState.QUEUED, RunState.CANCELLED}),
    RunState.QUEUED: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.CANCELLED}),
    RunState.RUNNING: frozenset(
        {RunState.SUCCEEDED, RunState.RETRYING, RunState.QUEUED, RunState.DEAD, RunState.CANCELLED}
    ),
    RunState.RETRYING: frozenset({RunState.QUEUED, RunState.CANCELLED}),
} | {final: frozenset() for final in _FINAL}


class Cause(StrEnum):
    SCHEDULE = "SCHEDULE"
    MANUAL = "MANUAL"
    BACKFILL = "BACKFILL"
    EVENT = "EVENT"
    API = "API"
    RETRY = "RETRY"


class Outcome(StrEnum):
    """How an attempt ended; RELEASED attempts do not count against the job's `maxAttempts`."""

    FAILED = "FAILED"
    LOST = "LOST"
    TIMED_OUT = "TIMED_OUT"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class RunError:
    """Why an attempt failed. `stack` is the worker's own text."""

    type: str
    message: str
    stack: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the handler says it is: `value` from 0 to 1."""

    value: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that has ended without success. The current one is told by the run itself."""

    number: int
    worker_id: WorkerId | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime
    outcome: Outcome
    error: RunError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(DomainEvent):
    """The run as it stood right after the event."""

    schedule_id: ScheduleId | None
    job: str
    state: RunState
    cause: Cause
    scheduled_for: datetime
    due_at: datetime
    fired_at: datetime | None
    attempt: int
    worker_id: WorkerId | None
    reason: str | None
    error: RunError | None


class RunCreated(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.created"


class RunQueued(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.queued"


class RunStarted(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgressed(RunEvent):
    type: ClassVar[str] = "run.progressed"
    progress: Progress


class RunSucceeded(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.succeeded"


class RunFailed(RunEvent):
    """An attempt failed; `retrying`, `queued` or `dead` follows."""

    __slots__ = ()
    type: ClassVar[str] = "run.failed"


class RunRetrying(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.retrying"


class RunDead(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.dead"


@dataclass(slots=True, kw_only=True, eq=False)
class Run(Aggregate):
    """`wake_at` is when the leader looks at the run again without being asked; None means never.

    `sends` counts how often the current attempt's work message was sent anew after a proven loss.
    `started_place` is where in the report stream the current attempt's STARTED stands.
    """

    id: RunId
    schedule_id: ScheduleId | None
    job: JobTerms
    cause: Cause
    state: RunState
    scheduled_for: datetime
    due_at: datetime
    created_at: datetime
    fired_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wake_at: datetime | None = None
    attempt: int = 0
    attempts: tuple[Attempt, ...] = ()
    worker_id: WorkerId | None = None
    started_place: int | None = None
    sends: int = 0
    payload: Json | None = None
    result: Json | None = None
    error: RunError | None = None
    reason: str | None = None
    progress: Progress | None = None
    dedupe_key: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    correlation_id: str | None = None
    traceparent: str | None = None
    fired_epoch: int | None = None

    # Making one

    def accept(self) -> Self:
        """A new run that waits for its time or its turn."""
        self.wake_at = max(self.due_at, self.created_at)
        self._note(RunCreated, self.created_at)
        return self

    def accept_queued(self) -> Self:
        """A new run that may go on the bus at once."""
        self._queue(self.created_at)
        return self

    # What the leader does

    def wake(self, now: datetime) -> None:
        """Does what the run waited for: the first attempt, the next one, or the end of an overlong one."""
        if self.state is RunState.RUNNING:
            self.time_out(now)
        elif self.state in (RunState.PENDING, RunState.RETRYING):
            self._queue(now)
        else:
            raise TransitionError("run", self.id, self.state, "wake")

    def time_out(self, now: datetime) -> None:
        """The worker said nothing of the attempt, and its time is up."""
        error = RunError("Timeout", f"no result within {self.job.timeout.total_seconds():g} s")
        self._end_attempt(Outcome.TIMED_OUT, error, now)
        self._retry_or_bury(now)

    def lose(self, now: datetime, reason: str) -> None:
        """The worker of this attempt is gone: counts, but waits no backoff."""
        self._end_attempt(Outcome.LOST, RunError("WorkerLost", reason), now)
        if self.job.retry.allows_another_after(self._counted_attempts()):
            self._queue(now)
        else:
            self._bury(now)

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
        self.wake_at = now + self.job.timeout + TIMEOUT_SLACK
        self._note(RunStarted, now)

    def note_progress(self, progress: Progress, now: datetime) -> None:
        if self.state is not RunState.RUNNING:
            raise TransitionError("run", self.id, self.state, "progress")
        self.progress = progress
        self._note(RunProgressed, now, progress=progress)

    def succeed(self, result: Json | None, now: datetime) -> None:
        self._move(RunState.SUCCEEDED)
        self.result = result
        self.error = None
        self.finished_at = now
        self.wake_at = None
        self._note(RunSucceeded, now)

    def fail(
        self, error: RunError, now: datetime, *, retryable: bool = True, retry_after: timedelta | None = None
    ) -> None:
        """`retry_after` replaces the backoff."""
        self._end_attempt(Outcome.FAILED, error, now)
        if retryable:
            self._retry_or_bury(now, retry_after)
        else:
            self._bury(now)

    def release(self, now: datetime, reason: str) -> None:
        """The attempt ends without counting, and the next one is queued at once."""
        if self.state not in (RunState.QUEUED, RunState.RUNNING):
            raise TransitionError("run", self.id, self.state, "be released")
        self.attempts = (*self.attempts, self._ended(Outcome.RELEASED, None, now))
        self.reason = reason
        self._queue(now)

    # Steps

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
        self.wake_at = None
        self._note(RunQueued, now)

    def _retry_or_bury(self, now: datetime, retry_after: timedelta | None = None) -> None:
        failures = self._counted_attempts()
        if not self.job.retry.allows_another_after(failures):
            self._bury(now)
            return
        wait = retry_after
        if wait is not None:
            wait = min(max(wait, timedelta(0)), LONGEST_WAIT)
        else:
            wait = self.job.retry.backoff.wait(failures, spread_of(self.id, self.attempt))
        self._move(RunState.RETRYING)
        self.wake_at = now + wait
        self._note(RunRetrying, now)

    def _bury(self, now: datetime) -> None:
        self._move(RunState.DEAD)
        self.finished_at = now
        self.wake_at = None
        self._note(RunDead, now)

    def _end_attempt(self, outcome: Outcome, error: RunError, now: datetime) -> None:
        if self.state is not RunState.RUNNING:
            raise TransitionError("run", self.id, self.state, f"end an attempt as {outcome}")
        self.attempts = (*self.attempts, self._ended(outcome, error, now))
        self.error = error
        self._note(RunFailed, now)

    def _ended(self, outcome: Outcome, error: RunError | None, now: datetime) -> Attempt:
        return Attempt(
            number=self.attempt,
            worker_id=self.worker_id,
            queued_at=self.queued_at,
            started_at=self.started_at,
            finished_at=now,
            outcome=outcome,
            error=error,
        )

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
                job=self.job.name,
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
    def is_queued(self) -> bool:
        return self.state is RunState.QUEUED

    @property
    def next_attempt_at(self) -> datetime | None:
        return self.wake_at if self.state is RunState.RETRYING else None


def new_run(
    tenant_id: TenantId,
    run_id: RunId,
    job: JobTerms,
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
    correlation_id: str | None = None,
    traceparent: str | None = None,
    fired_epoch: int | None = None,
) -> Run:
    """A run that is not yet accepted: due `now` unless told otherwise. Follow with `accept` or `accept_queued`."""
    due = due_at or now
    return Run(
        tenant_id=tenant_id,
        id=run_id,
        schedule_id=schedule_id,
        job=job,
        cause=cause,
        state=RunState.PENDING,
        scheduled_for=scheduled_for or due,
        due_at=due,
        created_at=now,
        fired_at=fired_at,
        payload=payload,
        dedupe_key=dedupe_key,
        labels=labels or {},
        correlation_id=correlation_id or str(run_id),
        traceparent=traceparent,
        fired_epoch=fired_epoch,
    )
