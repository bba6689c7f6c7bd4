"""Files by which calendars are exchanged with other programs: iCalendar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from rota.domain.calendars.definition import Closure, Holiday
from rota.domain.calendars.open_days import DayVerdict
from rota.domain.errors import FieldFault
from rota.domain.ids import CalendarId


@dataclass(frozen=True, slots=True)
class ImportedDays:
    """What a file says of closed days. `left_out` are the events that say nothing of any, each with the reason."""

    holidays: tuple[Holiday, ...]
    closures: tuple[Closure, ...]
    left_out: tuple[FieldFault, ...]


class CalendarFiles(Protocol):
    """Both compute for long: they are for a thread."""

    def read(self, data: bytes, first: date, last: date) -> ImportedDays:
        """The all-day events of a file that touch the days from `first` to `last`.

        What recurs each year for good becomes a holiday; what recurs otherwise, a closure for each time.
        Raises InvalidError: on `ical` for what is no such file, else with every faulty event on `events.<n>`,
        counted from 0.
        """
        ...

    def write(self, calendar_id: CalendarId, name: str, days: Iterable[DayVerdict], stamp: datetime) -> bytes:
        """The closed ones of `days`, which ascend, as all-day events: one for each row of days with one reason.

        The same closed days have the same UIDs each time; `stamp` is when the file was made.
        """
        ...
