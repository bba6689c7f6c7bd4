"""The client's calls about calendars."""

from collections.abc import AsyncIterator
from typing import Unpack

from rota.entrypoints.sdk.api.sender import Sender
from rota.entrypoints.sdk.call import I_CALENDAR, WHOLE_PAGE, delete, get, get_file, part, patch, post, post_file
from rota.entrypoints.sdk.definitions import (
    CalendarFilter,
    CalendarList,
    CalendarPatch,
    CalendarTerms,
    DaySpan,
    ImportTerms,
)
from rota.entrypoints.sdk.models import Calendar, ChangedCalendar, Days, ImportedDays, Page


class Calendars(Sender):
    async def create_calendar(
        self, /, name: str, *, idempotency_key: str | None = None, **definition: Unpack[CalendarTerms]
    ) -> Calendar:
        """Raises ConflictError for a name that is taken."""
        return await self._send(post("/calendars", Calendar, {"name": name, **definition}, idempotency_key))

    async def get_calendar(self, calendar_id: str) -> Calendar:
        return await self._send(get(f"/calendars/{part(calendar_id)}", Calendar))

    async def list_calendars(self, **filters: Unpack[CalendarList]) -> Page[Calendar]:
        """One page, the newest first."""
        return await self._send(get("/calendars", Page[Calendar], filters))

    def iter_calendars(self, **filters: Unpack[CalendarFilter]) -> AsyncIterator[Calendar]:
        """All of them, the newest first."""
        return self._every(get("/calendars", Page[Calendar], {**filters, "limit": WHOLE_PAGE}))

    async def change_calendar(
        self, calendar_id: str, /, *, if_match: int | None = None, **patch_: Unpack[CalendarPatch]
    ) -> ChangedCalendar:
        """A merge patch; lists are replaced whole. Tells which schedules' next fires move.

        With `if_match`, a version, it raises StaleVersionError for a calendar that has another one by now.
        """
        return await self._send(patch(f"/calendars/{part(calendar_id)}", ChangedCalendar, patch_, if_match))

    async def would_change_calendar(
        self, calendar_id: str, /, *, if_match: int | None = None, **patch_: Unpack[CalendarPatch]
    ) -> ChangedCalendar:
        """What `change_calendar` would answer."""
        path, dry = f"/calendars/{part(calendar_id)}", {"dryRun": True}
        return await self._send(patch(path, ChangedCalendar, patch_, if_match, dry))

    async def delete_calendar(self, calendar_id: str, *, if_match: int | None = None) -> None:
        """A calendar in use stays: ConflictError."""
        return await self._send(delete(f"/calendars/{part(calendar_id)}", if_match))

    async def list_days(self, calendar_id: str, /, **span: Unpack[DaySpan]) -> Days:
        """Each day from `from_` to `to`, both included, and why it is closed."""
        return await self._send(get(f"/calendars/{part(calendar_id)}/days", Days, span))

    async def export_calendar(self, calendar_id: str, /, **span: Unpack[DaySpan]) -> bytes:
        """The closed days from `from_` to `to` as an iCalendar file."""
        return await self._send(get_file(f"/calendars/{part(calendar_id)}.ics", span))

    async def import_days(
        self, calendar_id: str, file: bytes, /, *, idempotency_key: str | None = None, **how: Unpack[ImportTerms]
    ) -> ImportedDays:
        """Adds an iCalendar file's closed days from `from_` to `to`; with `dryRun`, tells only what it would add.

        Doing it again changes nothing.
        """
        path = f"/calendars/{part(calendar_id)}/import"
        return await self._send(post_file(path, ImportedDays, file, I_CALENDAR, how, idempotency_key))
