"""What is stored, and how one unit of work sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar
from uuid import UUID

from rota.application.ports.clock import Ids
from rota.application.ports.keyed_calls import CallKey, KeptAnswer
from rota.application.ports.keys import CalendarKey, LaneKey, RunKey, ScheduleKey, WorkerKey
from rota.application.ports.log import LogEntry
from rota.application.ports.rejections import Rejection
from rota.application.ports.store import Rejected
from rota.application.ports.waiting import ConcurrencyKey
from rota.domain.aggregate import Aggregate
from rota.domain.audit.round import AuditRound, Difference, DifferenceKind
from rota.domain.backfill import Backfill
from rota.domain.calendar import Calendar
from rota.domain.decision import CatchUp, Miss
from rota.domain.ids import BackfillId, CalendarId, JobId, RedriveId, RunId, ScheduleId, TenantId
from rota.domain.job import Job, JobTerms
from rota.domain.redrive import Redrive
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.worker import Beat, Worker
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.memory.clock import CountingIds
from rota.infrastructure.memory.leases import InMemoryLeases
from rota.infrastructure.memory.locks import Locks

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")
Kept = TypeVar("Kept", bound=Aggregate)

JobKey: TypeAlias = tuple[TenantId, JobId]
NameKey: TypeAlias = tuple[TenantId, str]
RevisionKey: TypeAlias = tuple[TenantId, ScheduleId, int]
CalendarRevisionKey: TypeAlias = tuple[TenantId, CalendarId, int]
SpanKey: TypeAlias = tuple[TenantId, ScheduleId, datetime]
RedriveKey: TypeAlias = tuple[TenantId, RedriveId]
ListedKey: TypeAlias = tuple[TenantId, RedriveId, RunId]
BackfillKey: TypeAlias = tuple[TenantId, BackfillId]
DifferenceKey: TypeAlias = tuple[TenantId, ScheduleId, DifferenceKind, datetime]
RemovedKey: TypeAlias = tuple[TenantId, str, ScheduleId | None, RunState]
DueTimeKey: TypeAlias = tuple[TenantId, ScheduleId | None, datetime]


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker with its last two heartbeats, and when one was last announced."""

    worker: Worker
    beat: Beat | None = None
    prior: Beat | None = None
    announced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A dead letter in the list of a redrive, with the run that was made of it."""

    made: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedCall:
    """`answer` is None while somebody carries it out."""

    asked: bytes
    holder: UUID
    held_until: datetime
    made_at: datetime
    answer: KeptAnswer | None = None


@dataclass(slots=True)
class Tables:
    """Committed rows and their indexes. Rows are aggregates that nobody else holds (`twin`)."""

    jobs: dict[JobKey, Job] = field(default_factory=dict)
    job_names: dict[NameKey, JobId] = field(default_factory=dict)
    calendars: dict[CalendarKey, Calendar] = field(default_factory=dict)
    calendar_names: dict[NameKey, CalendarId] = field(default_factory=dict)
    calendar_revisions: dict[CalendarRevisionKey, Calendar] = field(default_factory=dict)
    schedules: dict[ScheduleKey, Schedule] = field(default_factory=dict)
    schedule_names: dict[NameKey, ScheduleId] = field(default_factory=dict)
    revisions: dict[RevisionKey, Schedule] = field(default_factory=dict)
    catch_ups: dict[SpanKey, CatchUp] = field(default_factory=dict)
    misses: dict[SpanKey, Miss] = field(default_factory=dict)
    runs: dict[RunKey, Run] = field(default_factory=dict)
    unfinished: dict[RunKey, Run] = field(default_factory=dict)
    due_times: dict[DueTimeKey, RunId] = field(default_factory=dict)
    last_fired: dict[ScheduleKey, Run] = field(default_factory=dict)
    dedupe_keys: dict[NameKey, RunId] = field(default_factory=dict)
    concurrency_keys: dict[ConcurrencyKey, RunId] = field(default_factory=dict)
    rate_limits: dict[LaneKey, datetime] = field(default_factory=dict)
    workers: dict[WorkerKey, WorkerRow] = field(default_factory=dict)
    redrives: dict[RedriveKey, Redrive] = field(default_factory=dict)
    redrive_runs: dict[ListedKey, Listed] = field(default_factory=dict)
    backfills: dict[BackfillKey, Backfill] = field(default_factory=dict)
    removed_runs: Counter[RemovedKey] = field(default_factory=Counter)
    removed_to: dict[ScheduleKey, datetime] = field(default_factory=dict)
    audited_to: dict[ScheduleKey, datetime] = field(default_factory=dict)
    audit_differences: dict[DifferenceKey, Difference] = field(default_factory=dict)
    audit_round: AuditRound | None = None
    events: list[LogEntry] = field(default_factory=list)
    last_position: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    keyed_calls: dict[CallKey, KeyedCall] = field(default_factory=dict)


class InMemoryStore:
    """One database, for as many units of work as like to share it. Without leases nobody holds any."""

    def __init__(self, ids: Ids | None = None, leases: InMemoryLeases | None = None) -> None:
        self.tables = Tables()
        self.locks = Locks()
        self.ids: Ids = ids or CountingIds()
        self.leases = leases
        self.open_days = KnownOpenDays()


class Draft(Generic[Key, Row]):
    """A table as one unit of work sees it: what is committed, under what it has written itself."""

    def __init__(self, committed: dict[Key, Row]) -> None:
        self._committed = committed
        self._written: dict[Key, Row | None] = {}

    def get(self, key: Key) -> Row | None:
        return self._written[key] if key in self._written else self._committed.get(key)

    def put(self, key: Key, row: Row) -> None:
        self._written[key] = row

    def remove(self, key: Key) -> None:
        self._written[key] = None

    def items(self) -> Iterator[tuple[Key, Row]]:
        for key, row in self._committed.items():
            if key not in self._written:
                yield key, row
        for key, own in self._written.items():
            if own is not None:
                yield key, own

    def publish(self) -> None:
        for key, row in self._written.items():
            if row is None:
                self._committed.pop(key, None)
            else:
                self._committed[key] = row
        self._written.clear()


class Seen(Generic[Key, Kept]):
    """What one unit of work was given, each once, with the `seq` it was read with."""

    def __init__(self) -> None:
        self._read: dict[Key, tuple[Kept, int]] = {}

    def keep(self, key: Key, row: Kept) -> Kept:
        """The unit of work's own copy of the row: the one it has already, or a new one."""
        if key not in self._read:
            self._read[key] = (row, row.seq)
        return self._read[key][0]

    def all(self) -> Iterator[tuple[Key, Kept, int]]:
        for key, (aggregate, seq) in self._read.items():
            yield key, aggregate, seq

    def changed(self) -> list[tuple[Key, Kept, int]]:
        return [each for each in self.all() if each[1].is_changed]


def twin(aggregate: Kept) -> Kept:
    """A copy as it is once what it has recorded is stored; it shares only what nobody changes."""
    copied = copy(aggregate)
    copied.seq = aggregate.next_seq
    copied.pull_events()
    return copied


def present_terms(jobs: Draft[JobKey, Job] | dict[JobKey, Job], tenant_id: TenantId, job_id: JobId) -> JobTerms:
    """The job's terms as they are now: a run obeys its job as it stands, not as it stood.

    Raises LookupError for a job that was never stored: nothing may be made of such a one.
    """
    job = jobs.get((tenant_id, job_id))
    if job is None:
        raise LookupError(f"job {job_id} of {tenant_id} is not stored")
    return job.terms()
