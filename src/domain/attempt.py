"""One try at a run, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rota.domain.ids import WorkerId
from rota.domain.payload import Json


class Outcome(StrEnum):
    """How an attempt ended; RELEASED attempts do not count against the job's `maxAttempts`."""

    FAILED = "FAILED"
    LOST = "LOST"
    TIMED_OUT = "TIMED_OUT"
    RELEASED = "RELEASED"
    CANCELLED = "CANCELLED"


TIMEOUT = "Timeout"


DEADLINE_EXCEEDED = "DeadlineExceeded"


START_BY_EXCEEDED = "StartByExceeded"


HEARTBEAT_TIMEOUT = "HeartbeatTimeout"


WORKER_LOST = "WorkerLost"


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
    """An attempt that has ended without success. The current one is told by the run itself.

    `answer` is what the receiver of a delivery said.
    """

    number: int
    worker_id: WorkerId | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime
    outcome: Outcome
    error: RunError | None = None
    answer: Json | None = None
