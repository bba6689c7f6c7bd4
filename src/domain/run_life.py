"""The life of a run: its states, the steps between them, and the limits that end it.

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

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rota.domain.aggregate import Aggregate
from rota.domain.attempt import (
    DEADLINE_EXCEEDED,
    HEARTBEAT_TIMEOUT,
    START_BY_EXCEEDED,
    TIMEOUT,
    Attempt,
    Outcome,
    Progress,
    RunError,
)
from rota.domain.delivery import Delivery
from rota.domain.errors import TransitionError
from rota.domain.fingerprint import fingerprint_of
from rota.domain.ids import RunId, ScheduleId, WorkerId
from rota.domain.job import JobTerms
from rota.domain.payload import Json
from rota.domain.retry import LONGEST_WAIT, spread_of
from rota.domain.run_events import (
    FINAL,
    Cause,
    RunCancelled,
    RunDead,
    RunEvent,
    RunFailed,
    RunQueued,
    RunRetrying,
    RunState,
)

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
class RunLife(Aggregate):
    """What a run knows of itself. `Run` says what may be done to it.

    Either `job` says what a worker carries out, or `delivery` what Rota delivers itself.

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

    @property
    def _overdue_at(self) -> datetime | None:
        """When it will have overrun a limit if it goes on waiting."""
        return earliest(self.deadline_at, self.start_by_at)

    def _attempt_ends(self, heard_at: datetime) -> datetime | None:
        """When the running attempt is overdue by one of its limits, if the handler says no more after `heard_at`."""
        terms = self.terms
        assert self.started_at is not None  # it is RUNNING
        silence = None if terms.heartbeat_timeout is None else heard_at + terms.heartbeat_timeout
        stopping = None if self.cancel_requested_at is None else self.cancel_requested_at + CANCEL_GRACE
        return earliest(self.started_at + terms.timeout + TIMEOUT_SLACK, self.deadline_at, silence, stopping)

    def _expire_waiting(self, now: datetime) -> bool:
        deadline, start_by = self.deadline_at, self.start_by_at
        if deadline is not None and deadline <= now:
            self.error = self._too_late()
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
            self._keep_attempt(Outcome.CANCELLED, None, now)
            self._cancelled(now)
        elif deadline is not None and deadline <= now:
            self._end_attempt(Outcome.TIMED_OUT, self._too_late(), now)
            self._bury(now)
        elif self.started_at + terms.timeout + TIMEOUT_SLACK <= now:
            self._time_out(RunError(TIMEOUT, f"no result within {_text(terms.timeout)} s"), now)
        elif self._is_silent(now):
            self._time_out(RunError(HEARTBEAT_TIMEOUT, f"no progress for {_text(terms.heartbeat_timeout)} s"), now)
        else:
            return False
        return True

    def _too_late(self) -> RunError:
        return RunError(DEADLINE_EXCEEDED, f"had not ended {_text(self.terms.deadline)} s after it was due")

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
        self.wake_at = self._overdue_at

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
        self.wake_at = self._overdue_at
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
        self._keep_attempt(outcome, error, now, answer)
        self.error = error
        self._note(RunFailed, now)

    def _end_queued(self, outcome: Outcome, error: RunError | None, now: datetime) -> None:
        """An attempt that nobody started is told too, if there is one."""
        if self.is_queued:
            self._keep_attempt(outcome, error, now)

    def _keep_attempt(
        self, outcome: Outcome, error: RunError | None, now: datetime, answer: Json | None = None
    ) -> None:
        ended = Attempt(
            number=self.attempt,
            worker_id=self.worker_id,
            queued_at=self.queued_at,
            started_at=self.started_at,
            finished_at=now,
            outcome=outcome,
            error=error,
            answer=answer,
        )
        self.attempts = (*self.attempts, ended)

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


def earliest(*instants: datetime | None) -> datetime | None:
    """None is never."""
    return min((instant for instant in instants if instant is not None), default=None)


def _text(length: timedelta | None) -> str:
    return f"{length.total_seconds():g}" if length else "0"


def _short(error: RunError | None) -> str:
    return f"the last failed with {error.type}: {error.message}" if error else "the last failed"
