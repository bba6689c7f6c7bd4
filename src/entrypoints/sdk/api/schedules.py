"""The client's calls about schedules."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any, Unpack

from rota.entrypoints.sdk.api.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, delete, get, part, patch, post, said
from rota.entrypoints.sdk.definitions import (
    Disabling,
    Enabling,
    Paging,
    PreviewTerms,
    ScheduleFilter,
    ScheduleList,
    SchedulePatch,
    ScheduleTerms,
    Skipping,
    Trigger,
    Upcoming,
    WithPayload,
)
from rota.entrypoints.sdk.models import Event, Explanation, Fires, Items, Miss, Page, Run, Schedule, Skipped


class Schedules(Sender):
    async def create_schedule(
        self, /, name: str, *, idempotency_key: str | None = None, **definition: Unpack[ScheduleTerms]
    ) -> Schedule:
        """Raises InvalidError, and ConflictError for a name that is taken."""
        return await self._send(post("/schedules", Schedule, {"name": name, **definition}, idempotency_key))

    async def create_schedules(
        self, definitions: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> Items[Schedule]:
        """At most 1,000 ScheduleDefinitions; all or none."""
        return await self._send(post("/schedules/batch", Items[Schedule], list(definitions), idempotency_key))

    async def get_schedule(self, schedule_id: str) -> Schedule:
        return await self._send(get(f"/schedules/{part(schedule_id)}", Schedule))

    async def list_schedules(self, **filters: Unpack[ScheduleList]) -> Page[Schedule]:
        """One page, the newest first."""
        return await self._send(get("/schedules", Page[Schedule], filters))

    def iter_schedules(self, **filters: Unpack[ScheduleFilter]) -> AsyncIterator[Schedule]:
        """All of them, the newest first."""
        return self._every(get("/schedules", Page[Schedule], {**filters, "limit": WHOLE_PAGE}))

    async def change_schedule(
        self, schedule_id: str, /, *, if_match: int | None = None, **patch_: Unpack[SchedulePatch]
    ) -> Schedule:
        """A merge patch: what it does not name stays, `trigger` and `target` are replaced whole.

        With `if_match`, a version, it raises StaleVersionError for a schedule that has another one by now.
        """
        return await self._send(patch(f"/schedules/{part(schedule_id)}", Schedule, patch_, if_match))

    async def delete_schedule(self, schedule_id: str, *, if_match: int | None = None) -> None:
        """Its name is free again; its runs stay."""
        return await self._send(delete(f"/schedules/{part(schedule_id)}", if_match))

    async def enable_schedule(
        self, schedule_id: str, /, *, idempotency_key: str | None = None, **order: Unpack[Enabling]
    ) -> Schedule:
        return await self._send(post(f"/schedules/{part(schedule_id)}/enable", Schedule, order, idempotency_key))

    async def disable_schedule(
        self, schedule_id: str, /, *, idempotency_key: str | None = None, **order: Unpack[Disabling]
    ) -> Schedule:
        return await self._send(post(f"/schedules/{part(schedule_id)}/disable", Schedule, order, idempotency_key))

    async def skip_fires(
        self, schedule_id: str, /, *, idempotency_key: str | None = None, **order: Unpack[Skipping]
    ) -> Skipped:
        """The next fire will not come, or as many as `count` says, or the one given by `at`."""
        return await self._send(post(f"/schedules/{part(schedule_id)}/skip", Skipped, order, idempotency_key))

    async def trigger_schedule(
        self, schedule_id: str, /, *, idempotency_key: str | None = None, **order: Unpack[WithPayload]
    ) -> Run:
        """Fires it now: answers the run. `payload`, if given, replaces the target's."""
        return await self._send(post(f"/schedules/{part(schedule_id)}/trigger", Run, order, idempotency_key))

    async def preview(self, trigger: Trigger | Mapping[str, Any], tz: str, **question: Unpack[PreviewTerms]) -> Fires:
        """When it would fire: the first `count` (10 unless said) that are not before `from_`. Nothing is stored."""
        return await self._send(post("/schedules/preview", Fires, {"trigger": trigger, "tz": tz, **said(question)}))

    async def list_fires(self, schedule_id: str, /, **filters: Unpack[Upcoming]) -> Fires:
        """Its next due times, as `preview` answers them."""
        return await self._send(get(f"/schedules/{part(schedule_id)}/fires", Fires, filters))

    async def list_misses(self, schedule_id: str, /, **filters: Unpack[Paging]) -> Page[Miss]:
        """The newest first."""
        return await self._send(get(f"/schedules/{part(schedule_id)}/misses", Page[Miss], filters))

    def iter_misses(self, schedule_id: str) -> AsyncIterator[Miss]:
        return self._every(get(f"/schedules/{part(schedule_id)}/misses", Page[Miss], {"limit": WHOLE_PAGE}))

    async def explain(self, schedule_id: str, at: datetime | str) -> Explanation:
        """Why it did or will fire at that instant, or not. `at` has an offset."""
        return await self._send(get(f"/schedules/{part(schedule_id)}/explain", Explanation, {"at": at}))

    async def list_schedule_events(self, schedule_id: str, /, **filters: Unpack[Paging]) -> Page[Event]:
        """Its own history, the oldest first; that of its runs is each run's."""
        return await self._send(get(f"/schedules/{part(schedule_id)}/events", Page[Event], filters))

    def iter_schedule_events(self, schedule_id: str) -> AsyncIterator[Event]:
        return self._every(get(f"/schedules/{part(schedule_id)}/events", Page[Event], {"limit": WHOLE_PAGE}))
