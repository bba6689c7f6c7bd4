"""What the use cases need of the store: aggregates in and out, in one transaction with their events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from rota.application.ports.backfills import Backfills
from rota.application.ports.bus import Lane
from rota.application.ports.keyed_calls import Answers
from rota.application.ports.keys import CalendarKey, RevisionKey, RunKey, ScheduleKey, WorkerKey
from rota.application.ports.redrives import Redrives
from rota.application.ports.waiting import Waiting
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.open_days import OpenDays
from rota.domain.decision import CatchUp, Miss
from rota.domain.ids import CalendarId, JobId, RunId, ScheduleId, TenantId, WorkerId
from rota.domain.job import Job
from rota.domain.overlap import Going
from rota.domain.run import Run
from rota.domain.schedule import Schedule
from rota.domain.worker import Beat, Worker, WorkerSnapshot


class Schedules(Protocol):
    """Each is handed out with what its calendar says at present, be it not locked. Who changes a calendar changes its
    schedules in the same work: what was decided by the old one is then too late.
    """

    async def get(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        """Locked until the end of the work. Raises NotFoundError, for a deleted one too."""
        ...

    def add(self, schedule: Schedule) -> None:
        """Its name is checked at commit: NameTakenError."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[Schedule]:
        """Those whose next due time `now` has reached, the longest overdue first; not locked."""
        ...

    async def advance(self, decided: Sequence[tuple[Schedule, datetime]], epoch: int) -> Sequence[Schedule]:
        """Compare-and-set: stores each decided schedule if, since it was read, nobody else decided or changed it
        or its calendar.

        Each comes with the `due_at` it was read with. Answers those that were stored: their due times are ours.
        A schedule that a later leader has touched (a higher epoch) is not stored.
        """
        ...

    async def hold(self, keys: Iterable[ScheduleKey]) -> None:
        """Locks them until the end of the work, in one order: nobody else makes runs of them meanwhile."""
        ...

    async def hold_free(self, keys: Iterable[ScheduleKey]) -> Collection[ScheduleKey]:
        """As `hold`, but passes over what others hold; answers those that are ours."""
        ...

    async def going_by(self, tenant_id: TenantId, calendars: Iterable[CalendarId]) -> Sequence[ScheduleId]:
        """Those that go by one of these calendars, enabled or not, ordered by id. Nothing is locked."""
        ...

    async def load(self, keys: Iterable[ScheduleKey]) -> Mapping[ScheduleKey, Schedule]:
        """Those that exist, locked in order of their ids; deleted ones do not."""
        ...

    async def rested(self, limit: int) -> Sequence[tuple[Schedule, datetime]]:
        """Enabled FIXED_DELAY schedules with nothing to come whose last run of cause SCHEDULE has ended, and when.

        Locked; what others hold is passed over.
        """
        ...

    async def paused(self, now: datetime, limit: int) -> Sequence[Schedule]:
        """Those disabled until an instant that `now` has reached, earliest first; locked, what others hold is passed
        over.
        """
        ...

    async def listening(self) -> Sequence[Schedule]:
        """The enabled schedules of all tenants with a trigger of kind EVENT; for reading."""
        ...

    async def fired(self, keys: Iterable[ScheduleKey], at: datetime) -> None:
        """Notes that runs of them, which are locked, were made at that instant, past their decisions."""
        ...

    async def at_revisions(self, wanted: Sequence[RevisionKey]) -> Sequence[Schedule]:
        """The schedules with the definitions they had then, in the order asked for; for reading.

        Raises NotFoundError for one that never was.
        """
        ...


class CatchUps(Protocol):
    def add(self, catch_up: CatchUp) -> None: ...

    async def oldest(self, most: int) -> Sequence[CatchUp]:
        """In order of their decisions, locked; those that somebody else works on are passed over."""
        ...

    async def move(self, catch_up: CatchUp, made_to: datetime) -> None: ...

    async def finish(self, catch_ups: Sequence[CatchUp]) -> None: ...


class Misses(Protocol):
    def add(self, miss: Miss) -> None: ...


class Jobs(Protocol):
    async def get(self, tenant_id: TenantId, job_id: JobId) -> Job:
        """Locked. Raises NotFoundError, for a deleted one too."""
        ...

    async def named(self, tenant_id: TenantId, names: Iterable[str]) -> Mapping[str, Job]:
        """Those that exist, by name, locked against deletion."""
        ...

    def add(self, job: Job) -> None: ...

    async def user_of(self, job: Job) -> str | None:
        """Something that needs the job (a schedule, an unfinished run), in words; None if nothing does."""
        ...


class Calendars(Protocol):
    async def get(self, tenant_id: TenantId, calendar_id: CalendarId) -> Calendar:
        """Locked. Raises NotFoundError, for a deleted one too."""
        ...

    def add(self, calendar: Calendar) -> None:
        """Its name is checked at commit: NameTakenError."""
        ...

    async def definitions(
        self, tenant_id: TenantId, ids: Iterable[CalendarId]
    ) -> Mapping[CalendarId, CalendarDefinition]:
        """Those that exist, with all that they include: nobody changes or deletes them until the end of the work."""
        ...

    async def including(self, tenant_id: TenantId, calendar_id: CalendarId) -> Collection[CalendarId]:
        """Those that include it, directly or not. Nothing is locked."""
        ...

    async def open_days(self, keys: Iterable[CalendarKey]) -> Mapping[CalendarKey, OpenDays]:
        """Those that exist, as they are committed: nobody changes or deletes them until the end of the work.

        Equal versions are answered by one and the same object, which remembers what it has worked out.
        """
        ...

    async def user_of(self, calendar: Calendar) -> str | None:
        """Something that needs the calendar (a schedule, another calendar), in words; None if nothing does."""
        ...


class Runs(Protocol):
    def add(self, run: Run) -> None:
        """A run for a due time that is taken is dropped at commit, with its events (`refused`).

        A dedupe key that is taken fails the whole commit: ConcurrentChangeError. So does a concurrency key of which
        another run is QUEUED or RUNNING.
        """
        ...

    async def load(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        """Those that exist, locked, in one statement."""
        ...

    async def peek(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        """Those that exist, not locked, for reading."""
        ...

    async def waking(self, now: datetime, limit: int) -> Sequence[Run]:
        """Those whose `wake_at` has come, earliest first, locked; what others hold is passed over."""
        ...

    async def orphaned(self, limit: int) -> Sequence[Run]:
        """RUNNING runs whose worker is OFFLINE, locked; what others hold is passed over."""
        ...

    async def deliverable(self, limit: int) -> Sequence[Run]:
        """QUEUED deliveries, the longest queued first, locked; what others hold is passed over."""
        ...

    async def abandoned(self, limit: int) -> Sequence[Run]:
        """RUNNING deliveries whose carrier holds no lease (`carrier_lease`) any more, locked, as in `orphaned`."""
        ...

    async def going(self, keys: Iterable[ScheduleKey]) -> Mapping[ScheduleKey, Going]:
        """How many runs of each schedule have not ended; schedules with none are left out. Nothing is locked."""
        ...

    async def unfinished_of(self, keys: Iterable[ScheduleKey], limit: int) -> Sequence[Run]:
        """The schedules' runs that have not ended, locked."""
        ...

    async def unnamed(self, stream: str, intake_floor: int) -> Sequence[Run]:
        """RUNNING runs that neither of the last two heartbeats of their living worker names, locked.

        Both must have come after its start was stored and be past its STARTED, and intake past the later one; what
        an earlier life of the report stream held counts as passed. `stream` is this life's time of creation.
        """
        ...

    async def holding(self, tenant_id: TenantId, dedupe_keys: Iterable[str]) -> Mapping[str, Run]:
        """The unfinished runs that hold these keys."""
        ...

    def refused(self) -> Sequence[Run]:
        """After commit: the added runs that were dropped."""
        ...


class Workers(Protocol):
    async def get(self, tenant_id: TenantId, worker_id: WorkerId) -> Worker:
        """Locked. Raises NotFoundError."""
        ...

    def add(self, worker: Worker) -> None: ...

    async def load(self, keys: Iterable[WorkerKey]) -> Mapping[WorkerKey, Worker]:
        """Those that exist; not locked."""
        ...

    async def beat(self, beats: Mapping[WorkerKey, Beat]) -> Sequence[WorkerSnapshot]:
        """Keeps each as its worker's latest heartbeat and the one before as its second; OFFLINE ones are left.

        Answers the workers whose heartbeat is to be announced: of each, the first and then one a minute.
        """
        ...

    async def silent_since(self, instant: datetime, limit: int) -> Sequence[Worker]:
        """Those not OFFLINE that were last heard before `instant`, locked."""
        ...

    async def attended(self) -> Collection[Lane]:
        """The lanes that a worker which is not OFFLINE may fetch from."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A report that changed nothing, and why."""

    tenant_id: TenantId
    reason: str
    run_id: RunId | None = None
    attempt: int | None = None
    worker_id: UUID | None = None
    kind: str | None = None
    body: str | None = None


class UnitOfWork(Protocol):
    """One transaction. Leaving without `commit` undoes everything."""

    @property
    def schedules(self) -> Schedules: ...
    @property
    def catch_ups(self) -> CatchUps: ...
    @property
    def misses(self) -> Misses: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def calendars(self) -> Calendars: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def waiting(self) -> Waiting: ...
    @property
    def workers(self) -> Workers: ...
    @property
    def redrives(self) -> Redrives: ...
    @property
    def backfills(self) -> Backfills: ...
    @property
    def answers(self) -> Answers: ...

    def reject(self, reports: Iterable[Rejected]) -> None:
        """Counts reports that changed nothing."""
        ...

    async def commit(self) -> None:
        """Stores what changed and appends its events to the log, last, in commit order: all or none.

        Raises NameTakenError, ConcurrentChangeError, KeyInFlightError, UnavailableError.
        """
        ...


class Begin(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]: ...
