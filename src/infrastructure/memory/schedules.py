"""Schedules in memory, and the compare-and-set by which a due time becomes ours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from rota.application.ports.keys import RevisionKey, ScheduleKey
from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import CalendarId, ScheduleId, TenantId
from rota.domain.job import Job
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.target import JobTarget
from rota.domain.trigger import FixedDelay, OnEvent
from rota.infrastructure.memory.calendars import calendar_of
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.names import rename
from rota.infrastructure.memory.tables import Draft, InMemoryStore, JobKey, Seen, present_terms, twin


class InMemorySchedules:
    def __init__(self, store: InMemoryStore, holder: Holder, jobs: Draft[JobKey, Job]) -> None:
        self._jobs = jobs
        self._store = store
        self._tables = store.tables
        self._locks = store.locks
        self._holder = holder
        self._rows = Draft(store.tables.schedules)
        self._names = Draft(store.tables.schedule_names)
        self._revisions = Draft(store.tables.revisions)
        self._seen: Seen[ScheduleKey, Schedule] = Seen()
        self._added: list[Schedule] = []
        self._advanced: list[Schedule] = []

    async def get(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        key = (tenant_id, schedule_id)
        if self._rows.get(key) is not None:
            await self._locks.take(("schedule", key), self._holder)
        found = self._rows.get(key)
        if found is None or found.deleted_at:
            raise NotFoundError("schedule", schedule_id)
        return self._own(key)

    def add(self, schedule: Schedule) -> None:
        self._added.append(schedule)

    async def due(self, now: datetime, limit: int) -> Sequence[Schedule]:
        waiting = [
            (each.next.due_at, each)
            for _, each in self._rows.items()
            if each.enabled and each.next is not None and each.next.due_at <= now
        ]
        waiting.sort(key=lambda pair: pair[0])
        return [handed_out(self._store, self._jobs, each) for _, each in waiting[:limit]]

    async def advance(self, decided: Sequence[tuple[Schedule, datetime]], epoch: int) -> Sequence[Schedule]:
        won = [schedule for schedule, read_due in decided if self._wins(schedule, read_due, epoch)]
        for schedule in won:
            moved = twin(schedule)
            moved.fired_epoch = epoch
            self._rows.put((schedule.tenant_id, schedule.id), moved)
        self._advanced += won
        return won

    async def hold(self, keys: Iterable[ScheduleKey]) -> None:
        for key in sorted(set(keys), key=lambda key: key[1]):
            if self._rows.get(key) is not None:
                await self._locks.take(("schedule", key), self._holder)

    async def hold_free(self, keys: Iterable[ScheduleKey]) -> Collection[ScheduleKey]:
        wanted = sorted((key for key in set(keys) if self._rows.get(key) is not None), key=lambda key: key[1])
        return set(self._locks.take_free("schedule", wanted, self._holder, len(wanted)))

    async def going_by(self, tenant_id: TenantId, calendars: Iterable[CalendarId]) -> Sequence[ScheduleId]:
        wanted = {(tenant_id, own) for own in calendars}
        living = (row for _, row in self._rows.items() if not row.deleted_at)
        return sorted(row.id for row in living if calendar_of(row) in wanted)

    async def load(self, keys: Iterable[ScheduleKey]) -> Mapping[ScheduleKey, Schedule]:
        found = {}
        for key in sorted(set(keys), key=lambda key: key[1]):
            with suppress(NotFoundError):
                found[key] = await self.get(*key)
        return found

    async def rested(self, limit: int) -> Sequence[tuple[Schedule, datetime]]:
        ends = {key: at for key, row in self._rows.items() if (at := self._rested_since(row)) is not None}
        free = self._locks.take_free("schedule", sorted(ends), self._holder, limit)
        return [(self._own(key), ends[key]) for key in free]

    async def paused(self, now: datetime, limit: int) -> Sequence[Schedule]:
        over = [(row.disabled_until, key) for key, row in self._rows.items() if row.disabled_until is not None]
        free = self._locks.take_free(
            "schedule", [key for until, key in sorted(over) if until <= now], self._holder, limit
        )
        return [self._own(key) for key in free]

    async def listening(self) -> Sequence[Schedule]:
        listening = (
            row for _, row in self._rows.items() if row.enabled and isinstance(row.definition.trigger, OnEvent)
        )
        return [handed_out(self._store, self._jobs, row) for row in listening]

    async def fired(self, keys: Iterable[ScheduleKey], at: datetime) -> None:
        for fired in sorted(keys):
            if self._rows.get(fired) is None:
                continue
            await self._locks.take(("schedule", fired), self._holder)
            moved = twin(self._row(fired))
            moved.last_fire_at = max(moved.last_fire_at or at, at)
            self._rows.put(fired, moved)
            for key, seen, _ in self._seen.all():
                if key == fired:
                    seen.last_fire_at = moved.last_fire_at

    async def at_revisions(self, wanted: Sequence[RevisionKey]) -> Sequence[Schedule]:
        return [self._at_revision(*each) for each in wanted]

    def _at_revision(self, tenant_id: TenantId, schedule_id: ScheduleId, revision: int) -> Schedule:
        now = self._rows.get((tenant_id, schedule_id))
        then = self._revisions.get((tenant_id, schedule_id, revision))
        if now is None or then is None:
            raise NotFoundError("schedule", schedule_id)
        found = twin(now)
        found.definition = then.definition
        return handed_out(self._store, self._jobs, found)

    def stage(self) -> list[Schedule]:
        """Checks what was added, read or advanced, and answers it. Raises NameTakenError, ConcurrentChangeError."""
        for schedule in self._added:
            self._put(schedule, before=None)
        read = list(self._seen.all())
        for key, schedule, seq in read:
            stored = self._rows.get(key)
            if stored is None or stored.seq != seq:
                raise ConcurrentChangeError("schedule")
            self._put(schedule, before=stored)
        return self._added + [schedule for _, schedule, _ in read] + self._advanced

    def publish(self) -> None:
        self._rows.publish()
        self._names.publish()
        self._revisions.publish()

    def _wins(self, schedule: Schedule, read_due: datetime, epoch: int) -> bool:
        """Whether it still stands as it was read; what somebody else holds is passed over."""
        key = (schedule.tenant_id, schedule.id)
        stored = self._rows.get(key)
        return (
            stored is not None
            and stored.enabled
            and (stored.version, stored.seq, stored.updated_at) == (schedule.version, schedule.seq, schedule.updated_at)
            and stored.next is not None
            and stored.next.due_at == read_due
            and stored.fired_epoch <= epoch
            and self._locks.try_take(("schedule", key), self._holder)
        )

    def _rested_since(self, row: Schedule) -> datetime | None:
        """When the last run of one that rests has ended; None if it has not, or the schedule is at its end."""
        if not row.enabled or row.next is not None or not isinstance(row.definition.trigger, FixedDelay):
            return None
        last = self._tables.last_fired.get((row.tenant_id, row.id))
        ended_at = row.updated_at if last is None else self._tables.runs[last.tenant_id, last.id].finished_at
        if ended_at is None:
            return None
        trial = twin(row)
        trial.run_ended(ended_at)
        return None if trial.next is None else ended_at

    def _row(self, key: ScheduleKey) -> Schedule:
        row = self._rows.get(key)
        assert row is not None  # a schedule is never removed
        return row

    def _own(self, key: ScheduleKey) -> Schedule:
        return self._seen.keep(key, handed_out(self._store, self._jobs, self._row(key)))

    def _put(self, schedule: Schedule, *, before: Schedule | None) -> None:
        tenant_id, own = schedule.tenant_id, schedule.id
        if isinstance(schedule.definition.target, JobTarget):
            present_terms(self._jobs, tenant_id, schedule.definition.target.job.id)  # as the foreign key has it
        rename(self._names, "schedule", tenant_id, own, _living_name(before), _living_name(schedule))
        row = twin(schedule)
        self._rows.put((tenant_id, own), row)
        if before is None or before.version != schedule.version:
            self._revisions.put((tenant_id, own, schedule.version), row)


def handed_out(store: InMemoryStore, jobs: Draft[JobKey, Job] | dict[JobKey, Job], row: Schedule) -> Schedule:
    """A copy of the row to give away, with what its calendar says."""
    schedule = twin(row)
    schedule.definition = _with_present_terms(jobs, row.tenant_id, row.definition)
    key = calendar_of(row)
    schedule.open_days = None if key is None else store.open_days.of([key], store.tables.calendars).get(key)
    return schedule


def _with_present_terms(
    jobs: Draft[JobKey, Job] | dict[JobKey, Job], tenant_id: TenantId, definition: ScheduleDefinition
) -> ScheduleDefinition:
    target = definition.target
    if not isinstance(target, JobTarget):
        return definition
    terms = present_terms(jobs, tenant_id, target.job.id)
    return definition if terms == target.job else replace(definition, target=replace(target, job=terms))


def _living_name(schedule: Schedule | None) -> str | None:
    return None if schedule is None or schedule.deleted_at else schedule.definition.name
