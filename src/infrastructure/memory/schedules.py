"""Schedules in memory, and the compare-and-set by which a due time becomes ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rota.domain.errors import ConcurrentChangeError, NotFoundError
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.job import Job
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import ScheduleDefinition
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.names import rename
from rota.infrastructure.memory.tables import Draft, InMemoryStore, JobKey, ScheduleKey, Seen, present_terms, twin


class InMemorySchedules:
    def __init__(self, store: InMemoryStore, holder: Holder, jobs: Draft[JobKey, Job]) -> None:
        self._jobs = jobs
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
        return self._seen.keep(key, handed_out(self._jobs, found))

    def add(self, schedule: Schedule) -> None:
        self._added.append(schedule)

    async def due(self, now: datetime, limit: int) -> Sequence[Schedule]:
        waiting = [
            (each.next.due_at, each)
            for _, each in self._rows.items()
            if each.enabled and each.next is not None and each.next.due_at <= now
        ]
        waiting.sort(key=lambda pair: pair[0])
        return [handed_out(self._jobs, each) for _, each in waiting[:limit]]

    async def advance(self, decided: Sequence[tuple[Schedule, datetime]], epoch: int) -> Sequence[Schedule]:
        won = [schedule for schedule, read_due in decided if self._wins(schedule, read_due, epoch)]
        for schedule in won:
            moved = twin(schedule)
            moved.fired_epoch = epoch
            self._rows.put((schedule.tenant_id, schedule.id), moved)
        self._advanced += won
        return won

    async def fired(self, tenant_id: TenantId, schedule_id: ScheduleId, at: datetime) -> None:
        row = self._rows.get((tenant_id, schedule_id))
        if row is not None:
            await self._locks.take(("schedule", (tenant_id, schedule_id)), self._holder)
            moved = twin(row)
            moved.last_fire_at = max(row.last_fire_at or at, at)
            self._rows.put((tenant_id, schedule_id), moved)

    async def at_revision(self, tenant_id: TenantId, schedule_id: ScheduleId, revision: int) -> Schedule:
        now = self._rows.get((tenant_id, schedule_id))
        then = self._revisions.get((tenant_id, schedule_id, revision))
        if now is None or then is None:
            raise NotFoundError("schedule", schedule_id)
        found = twin(now)
        found.definition = _with_present_terms(self._jobs, tenant_id, then.definition)
        return found

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
            and (stored.version, stored.seq) == (schedule.version, schedule.seq)
            and stored.next is not None
            and stored.next.due_at == read_due
            and stored.fired_epoch <= epoch
            and self._locks.try_take(("schedule", key), self._holder)
        )

    def _put(self, schedule: Schedule, *, before: Schedule | None) -> None:
        tenant_id, own = schedule.tenant_id, schedule.id
        present_terms(self._jobs, tenant_id, schedule.definition.target.job.id)  # as the foreign key has it
        rename(self._names, "schedule", tenant_id, own, _living_name(before), _living_name(schedule))
        row = twin(schedule)
        self._rows.put((tenant_id, own), row)
        if before is None or before.version != schedule.version:
            self._revisions.put((tenant_id, own, schedule.version), row)


def handed_out(jobs: Draft[JobKey, Job] | dict[JobKey, Job], row: Schedule) -> Schedule:
    """A copy of the row to give away."""
    schedule = twin(row)
    schedule.definition = _with_present_terms(jobs, row.tenant_id, row.definition)
    return schedule


def _with_present_terms(
    jobs: Draft[JobKey, Job] | dict[JobKey, Job], tenant_id: TenantId, definition: ScheduleDefinition
) -> ScheduleDefinition:
    target = definition.target
    terms = present_terms(jobs, tenant_id, target.job.id)
    return definition if terms == target.job else replace(definition, target=replace(target, job=terms))


def _living_name(schedule: Schedule | None) -> str | None:
    return None if schedule is None or schedule.deleted_at else schedule.definition.name
