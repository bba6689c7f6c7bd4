"""A redrive: dead letters are carried out once more, each as a new run, at a pace.

    RUNNING ──> DONE         each of its dead letters has a new run, or was passed over
       ├──────> STOPPED      too many of the new runs are DEAD again
       └──────> CANCELLED    somebody asked

Which dead letters it takes is settled when it is asked for. What has no new run when it ends stays a dead letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rota.domain.errors import InvalidError, TransitionError
from rota.domain.ids import RedriveId, RunId, ScheduleId, TenantId
from rota.domain.payload import Json

SLOWEST, QUICKEST = 0.001, 1_000.0
MOST = 100_000
BURST = timedelta(seconds=1)
"""What was not made while nobody led is made up for by no more than this length of the pace."""


class RedriveState(StrEnum):
    RUNNING = "RUNNING"
    DONE = "DONE"
    STOPPED = "STOPPED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which dead letters; all that is said must hold. `since` (included) and `until` (not) judge `scheduled_for`."""

    fingerprint: str | None = None
    job: str | None = None
    schedule_id: ScheduleId | None = None
    labels: Mapping[str, str] | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveTerms:
    """How it is done: new runs a second, how many at most, after how many that die again it stops."""

    per_sec: float = 50.0
    most: int = 10_000
    stop_after: int = 10

    def __post_init__(self) -> None:
        if not SLOWEST <= self.per_sec <= QUICKEST:
            raise InvalidError(f"must be from {SLOWEST:g} to {QUICKEST:,.0f}", "perSec")
        if not 1 <= self.most <= MOST:
            raise InvalidError(f"must be from 1 to {MOST:,}", "max")
        if not 1 <= self.stop_after <= MOST:
            raise InvalidError(f"must be from 1 to {MOST:,}", "stopAfter")


@dataclass(slots=True, kw_only=True, eq=False)
class Redrive:
    """`count` dead letters are its own; in the order of their ids it has come to `reached`.

    `made` of them have a new run, `passed` were passed over: retried by somebody else meanwhile, or nobody is left to
    carry them out. `payload` replaces theirs. `next_at` is when the pace allows the next run.
    """

    tenant_id: TenantId
    id: RedriveId
    wanted: LetterFilter
    terms: RedriveTerms
    payload: Json | None = None
    created_at: datetime
    next_at: datetime
    state: RedriveState = RedriveState.RUNNING
    count: int = 0
    made: int = 0
    passed: int = 0
    reached: RunId | None = None
    reason: str | None = None
    finished_at: datetime | None = None

    @classmethod
    def ask(
        cls,
        tenant_id: TenantId,
        redrive_id: RedriveId,
        wanted: LetterFilter,
        terms: RedriveTerms,
        *,
        now: datetime,
        payload: Json | None = None,
    ) -> Redrive:
        """It has no dead letters yet: `take` tells it of them."""
        return cls(
            tenant_id=tenant_id,
            id=redrive_id,
            wanted=wanted,
            terms=terms,
            payload=payload,
            created_at=now,
            next_at=now,
        )

    def take(self, count: int) -> None:
        """So many dead letters are its own; with none there is nothing to do."""
        self.count = count
        if count == 0:
            self._end(RedriveState.DONE, self.created_at)

    def may_make(self, now: datetime) -> int:
        """How many runs the pace allows at this instant."""
        if self.state is not RedriveState.RUNNING or now < self.next_at:
            return 0
        behind = min(now - self.next_at, BURST)
        return 1 + int(behind.total_seconds() * self.terms.per_sec)

    def judge(self, dead: int, now: datetime) -> None:
        """`dead` of its new runs are DEAD again: if they are too many, it stops."""
        if self.state is RedriveState.RUNNING and dead >= self.terms.stop_after:
            self.reason = f"{dead} of the {self.made} new runs are DEAD again"
            self._end(RedriveState.STOPPED, now)

    def advance(self, reached: RunId, *, made: int, passed: int, now: datetime) -> None:
        """It has come to that dead letter."""
        if self.state is not RedriveState.RUNNING:
            raise TransitionError("redrive", self.id, self.state, "make runs")
        self.reached = reached
        self.made += made
        self.passed += passed
        self.next_at = max(self.next_at, now - BURST) + timedelta(seconds=made / self.terms.per_sec)
        if self.made + self.passed >= self.count:
            self._end(RedriveState.DONE, now)

    def cancel(self, reason: str, now: datetime) -> None:
        if self.state is not RedriveState.RUNNING:
            raise TransitionError("redrive", self.id, self.state, "be cancelled")
        self.reason = reason or None
        self._end(RedriveState.CANCELLED, now)

    def _end(self, state: RedriveState, now: datetime) -> None:
        self.state = state
        self.finished_at = now
