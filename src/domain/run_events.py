"""What a run can be, and what can happen to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from rota.domain.aggregate import DomainEvent
from rota.domain.attempt import Progress, RunError
from rota.domain.ids import ScheduleId, WorkerId


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
        return self in FINAL


FINAL = frozenset({RunState.SUCCEEDED, RunState.DEAD, RunState.CANCELLED, RunState.SKIPPED})


class Cause(StrEnum):
    SCHEDULE = "SCHEDULE"
    MANUAL = "MANUAL"
    BACKFILL = "BACKFILL"
    EVENT = "EVENT"
    API = "API"
    RETRY = "RETRY"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(DomainEvent):
    """The run as it stood right after the event. `job` is None for a delivery."""

    schedule_id: ScheduleId | None
    job: str | None
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
    """An attempt failed; `retrying`, `queued`, `dead` or `cancelled` follows."""

    __slots__ = ()
    type: ClassVar[str] = "run.failed"


class RunRetrying(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.retrying"


class RunDead(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.dead"


class RunCancelRequested(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.cancelrequested"


class RunCancelled(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.cancelled"


class RunSkipped(RunEvent):
    __slots__ = ()
    type: ClassVar[str] = "run.skipped"
