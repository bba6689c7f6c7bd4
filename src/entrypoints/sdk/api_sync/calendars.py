# Made from sdk/api by tests/support/twin.py: change it there.
"""The client's calls about calendars."""

from collections.abc import Iterator
from typing import Unpack

from rota.entrypoints.sdk.api_sync.sender import Sender
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
    def create_calendar(
        self, /, name: str, *, idempotency_key: str | None = None, **definition: Unpack[CalendarTerms]
    ) -> Calendar:
        """Raises ConflictError for a name that is taken."""
        return self._send(post("/calendars", Calendar, {"name": name, **definition}, idempotency_key))

    def get_calendar(self, calendar_id: str) -> Calendar:
        return self._send(get(f"/calendars/{part(calendar_id)}", Calendar))

    def list_calendars(self, **filters: Unpack[CalendarList]) -> Page[Calendar]:
        """One page, the newest first."""
        return self._send(get("/calendars", Page[Calendar], filters))

    def iter_calendars(self, **filters: Unpack[CalendarFilter]) -> Iterator[Calendar]:
        """All of them, the newest first."""
        return self._every(get("/calendars", Page[Calendar], {**filters, "limit": WHOLE_PAGE}))

    def change_calendar(
        self, calendar_id: str, /, *, if_match: int | None = None, **patch_: Unpack[CalendarPatch]
    ) -> ChangedCalendar:
        """A merge patch; lists are replaced whole. Tells which schedules' next fires move.

        With `if_match`, a version, it raises StaleVersionError for a calendar that has another one by now.
        """
        return self._send(patch(f"/calendars/{part(calendar_id)}", ChangedCalendar, patch_, if_match))

    def would_change_calendar(
        self, calendar_id: str, /, *, if_match: int | None = None, **patch_: Unpack[CalendarPatch]
    ) -> ChangedCalendar:
        """What `change_calendar` would answer."""
        path, dry = f"/calendars/{part(calendar_id)}", {"dryRun": True}
        return self._send(patch(path, ChangedCalendar, patch_, if_match, dry))

    def delete_calendar(self, calendar_id: str, *, if_match: int | None = None) -> None:
        """A calendar in use stays: ConflictError."""
        return self._send(delete(f"/calendars/{part(calendar_id)}", if_match))

    def list_days(self, calendar_id: str, /, **span: Unpack[DaySpan]) -> Days:
        """Each day from `from_` to `to`, both included, and why it is closed."""
        return self._send(get(f"/calendars/{part(calendar_id)}/days", Days, span))

    def export_calendar(self, calendar_id: str, /, **span: Unpack[DaySpan]) -> bytes:
        """The closed days from `from_` to `to` as an iCalendar file."""
        return self._send(get_file(f"/calendars/{part(calendar_id)}.ics", span))

    def import_days(
        self, calendar_id: str, file: bytes, /, *, idempotency_key: str | None = None, **how: Unpack[ImportTerms]
    ) -> ImportedDays:
        """Adds an iCalendar file's closed days from `from_` to `to`; with `dryRun`, tells only what it would add.

        Doing it again changes nothing.
        """
        path = f"/calendars/{part(calendar_id)}/import"
        return self._send(post_file(path, ImportedDays, file, I_CALENDAR, how, idempotency_key))
