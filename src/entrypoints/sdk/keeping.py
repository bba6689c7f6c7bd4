"""The calls of the HTTP client that look after jobs, schedules, workers and calendars."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, TypeVar

from rota.entrypoints.sdk import calls
from rota.entrypoints.sdk.calls import Call
from rota.entrypoints.sdk.models import (
    Calendar,
    ChangedCalendar,
    Days,
    Explanation,
    Fires,
    ImportedDays,
    Job,
    Miss,
    Page,
    Run,
    Schedule,
    Skipped,
    Worker,
)

T = TypeVar("T")


class Keeping(ABC):
    """`Rota`'s."""

    @abstractmethod
    async def _send(self, call: Call[T]) -> T: ...

    async def get_job(self, job_id: str) -> Job:
        return await self._send(calls.get_job(job_id))

    async def list_jobs(self, **filters: object) -> Page[Job]:
        """Newest first; filters `name` (prefix), `queue`, `limit`, `cursor`."""
        return await self._send(calls.list_jobs(filters))

    async def change_job(self, job_id: str, /, **patch: Any) -> Job:
        """`patch` is a merge patch: what it does not name stays, None is a field's default."""
        return await self._send(calls.change_job(job_id, patch))

    async def delete_job(self, job_id: str) -> None:
        """A job in use stays: RotaError, 409."""
        return await self._send(calls.delete_job(job_id))

    async def change_schedule(self, schedule_id: str, /, **patch: Any) -> Schedule:
        """`patch` is a merge patch: what it does not name stays, `trigger` and `target` are replaced whole."""
        return await self._send(calls.change_schedule(schedule_id, patch))

    async def delete_schedule(self, schedule_id: str) -> None:
        """Its name is free again; its runs stay."""
        return await self._send(calls.delete_schedule(schedule_id))

    async def enable_schedule(self, schedule_id: str, /, **order: Any) -> Schedule:
        """`order` takes `catchUp` (NONE, LAST or ALL of what fell due while it was disabled) and `reason`."""
        return await self._send(calls.enable_schedule(schedule_id, order))

    async def disable_schedule(self, schedule_id: str, /, **order: Any) -> Schedule:
        """`order` takes `until`, when it is enabled by itself, and `reason`."""
        return await self._send(calls.disable_schedule(schedule_id, order))

    async def skip_fires(self, schedule_id: str, /, **order: Any) -> Skipped:
        """The next fire is skipped; `order` takes `count` for so many, or `at` for one given, and `reason`."""
        return await self._send(calls.skip_fires(schedule_id, order))

    async def trigger_schedule(self, schedule_id: str, /, **order: Any) -> Run:
        """Fires it now: answers the run. `payload`, if given, replaces the target's."""
        return await self._send(calls.trigger_schedule(schedule_id, order))

    async def list_fires(self, schedule_id: str, /, **filters: object) -> Fires:
        """Its next due times; filters `from`, `count`."""
        return await self._send(calls.list_fires(schedule_id, filters))

    async def list_misses(self, schedule_id: str, /, **filters: object) -> Page[Miss]:
        """The newest first."""
        return await self._send(calls.list_misses(schedule_id, filters))

    async def explain(self, schedule_id: str, at: datetime | str) -> Explanation:
        """Why it did or will fire at that instant, or not. `at` has an offset."""
        return await self._send(calls.explain(schedule_id, at))

    async def get_worker(self, worker_id: str) -> Worker:
        return await self._send(calls.get_worker(worker_id))

    async def list_workers(self, **filters: object) -> Page[Worker]:
        return await self._send(calls.list_workers(filters))

    async def drain_worker(self, worker_id: str) -> Worker:
        """It takes no new runs; those that it has go on, or are handed back."""
        return await self._send(calls.drain_worker(worker_id))

    async def create_calendar(self, /, name: str, **definition: Any) -> Calendar:
        return await self._send(calls.create_calendar({"name": name} | definition))

    async def get_calendar(self, calendar_id: str) -> Calendar:
        return await self._send(calls.get_calendar(calendar_id))

    async def list_calendars(self, **filters: object) -> Page[Calendar]:
        """Newest first; filters `name` (prefix), `limit`, `cursor`."""
        return await self._send(calls.list_calendars(filters))

    async def change_calendar(self, calendar_id: str, /, **patch: Any) -> ChangedCalendar:
        """A merge patch; lists are replaced whole. Tells which schedules' next fires move."""
        return await self._send(calls.change_calendar(calendar_id, patch))

    async def would_change_calendar(self, calendar_id: str, /, **patch: Any) -> ChangedCalendar:
        """What `change_calendar` would answer."""
        return await self._send(calls.would_change_calendar(calendar_id, patch))

    async def delete_calendar(self, calendar_id: str) -> None:
        """A calendar in use stays: RotaError, 409."""
        return await self._send(calls.delete_calendar(calendar_id))

    async def list_days(self, calendar_id: str, /, **span: object) -> Days:
        """Each day from `from` to `to`, both included, and why it is closed."""
        return await self._send(calls.list_days(calendar_id, span))

    async def export_calendar(self, calendar_id: str, /, **span: object) -> bytes:
        """The closed days from `from` to `to` as an iCalendar file."""
        return await self._send(calls.export_calendar(calendar_id, span))

    async def import_days(self, calendar_id: str, file: bytes, /, **how: object) -> ImportedDays:
        """Adds an iCalendar file's closed days; `how` takes `from`, `to`, `dryRun`. Doing it again changes nothing."""
        return await self._send(calls.import_days(calendar_id, file, how))


class KeepingSync(ABC):
    """`RotaSync`'s."""

    @abstractmethod
    def _send(self, call: Call[T]) -> T: ...

    def get_job(self, job_id: str) -> Job:
        return self._send(calls.get_job(job_id))

    def list_jobs(self, **filters: object) -> Page[Job]:
        return self._send(calls.list_jobs(filters))

    def change_job(self, job_id: str, /, **patch: Any) -> Job:
        return self._send(calls.change_job(job_id, patch))

    def delete_job(self, job_id: str) -> None:
        return self._send(calls.delete_job(job_id))

    def change_schedule(self, schedule_id: str, /, **patch: Any) -> Schedule:
        return self._send(calls.change_schedule(schedule_id, patch))

    def delete_schedule(self, schedule_id: str) -> None:
        return self._send(calls.delete_schedule(schedule_id))

    def enable_schedule(self, schedule_id: str, /, **order: Any) -> Schedule:
        return self._send(calls.enable_schedule(schedule_id, order))

    def disable_schedule(self, schedule_id: str, /, **order: Any) -> Schedule:
        return self._send(calls.disable_schedule(schedule_id, order))

    def skip_fires(self, schedule_id: str, /, **order: Any) -> Skipped:
        return self._send(calls.skip_fires(schedule_id, order))

    def trigger_schedule(self, schedule_id: str, /, **order: Any) -> Run:
        return self._send(calls.trigger_schedule(schedule_id, order))

    def list_fires(self, schedule_id: str, /, **filters: object) -> Fires:
        return self._send(calls.list_fires(schedule_id, filters))

    def list_misses(self, schedule_id: str, /, **filters: object) -> Page[Miss]:
        return self._send(calls.list_misses(schedule_id, filters))

    def explain(self, schedule_id: str, at: datetime | str) -> Explanation:
        return self._send(calls.explain(schedule_id, at))

    def get_worker(self, worker_id: str) -> Worker:
        return self._send(calls.get_worker(worker_id))

    def list_workers(self, **filters: object) -> Page[Worker]:
        return self._send(calls.list_workers(filters))

    def drain_worker(self, worker_id: str) -> Worker:
        return self._send(calls.drain_worker(worker_id))

    def create_calendar(self, /, name: str, **definition: Any) -> Calendar:
        return self._send(calls.create_calendar({"name": name} | definition))

    def get_calendar(self, calendar_id: str) -> Calendar:
        return self._send(calls.get_calendar(calendar_id))

    def list_calendars(self, **filters: object) -> Page[Calendar]:
        return self._send(calls.list_calendars(filters))

    def change_calendar(self, calendar_id: str, /, **patch: Any) -> ChangedCalendar:
        return self._send(calls.change_calendar(calendar_id, patch))

    def would_change_calendar(self, calendar_id: str, /, **patch: Any) -> ChangedCalendar:
        return self._send(calls.would_change_calendar(calendar_id, patch))

    def delete_calendar(self, calendar_id: str) -> None:
        return self._send(calls.delete_calendar(calendar_id))

    def list_days(self, calendar_id: str, /, **span: object) -> Days:
        return self._send(calls.list_days(calendar_id, span))

    def export_calendar(self, calendar_id: str, /, **span: object) -> bytes:
        return self._send(calls.export_calendar(calendar_id, span))

    def import_days(self, calendar_id: str, file: bytes, /, **how: object) -> ImportedDays:
        return self._send(calls.import_days(calendar_id, file, how))
