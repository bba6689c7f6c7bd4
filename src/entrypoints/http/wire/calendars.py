"""Calendars on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from rota.application.batches import each
from rota.application.change_calendar import ChangedCalendar
from rota.application.import_days import Imported
from rota.application.json import dump, load
from rota.application.views.calendars import calendar_view, closure_view, holiday_view
from rota.application.views.values import View
from rota.domain.calendar import CalendarSnapshot
from rota.domain.calendars.definition import (
    MAX_INCLUDES,
    MAX_ITEMS,
    CalendarDefinition,
    Closure,
    EasterOffset,
    ExtraOpenDay,
    FixedDate,
    Holiday,
    NthWeekday,
    OpeningHours,
    PublicHolidays,
    Weekday,
)
from rota.domain.errors import FieldFault
from rota.domain.ids import CalendarId
from rota.entrypoints.http.wire.base import (
    YEARS,
    Answer,
    Body,
    Labels,
    LocalTime,
    Name,
    Note,
    Ref,
    Text,
    Whole,
    Wire,
    Zone,
    inside,
    local_time,
)
from rota.entrypoints.http.wire.lists import Flag, Parameters
from rota.entrypoints.http.wire.patch import Document, patched

WeekdayName: TypeAlias = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _day(text: object) -> date:
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise PydanticCustomError("date", "must be a date, as in 2026-12-24")
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise PydanticCustomError("date", "there is no such date") from error
    if day.year not in YEARS:
        raise PydanticCustomError("date", f"must lie in the years {YEARS[0]} to {YEARS[-1]}")
    return day


def _end_of_hours(text: object) -> time:
    return time(0) if text == "24:00" else local_time(text)


Day = Annotated[date, PlainValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
EndOfHours = Annotated[
    time,
    PlainValidator(_end_of_hours),
    WithJsonSchema(
        {"type": "string", "description": "Not included; 24:00 is the end of the day.", "examples": ["17:30"]}
    ),
]


class FixedDateIn(Wire):
    """The same date each year; 29 February only in leap years."""

    kind: Literal["DATE"]
    month: Whole = Field(examples=[12])
    day: Whole = Field(examples=[24])
    name: Name = Field(examples=["Christmas Eve"])

    def to_holiday(self) -> Holiday:
        return FixedDate(self.month, self.day, self.name)


class NthWeekdayIn(Wire):
    """The nth such weekday of a month, from its end where negative: the fourth Thursday of November."""

    kind: Literal["WEEKDAY"]
    month: Whole = Field(examples=[11])
    weekday: WeekdayName = Field(examples=["TH"])
    nth: Whole = Field(examples=[4, -1])
    name: Name = Field(examples=["Thanksgiving"])

    def to_holiday(self) -> Holiday:
        return NthWeekday(self.month, Weekday[self.weekday], self.nth, self.name)


class EasterIn(Wire):
    """So many days after Easter Sunday, before it where negative: Good Friday is -2."""

    kind: Literal["EASTER"]
    offset_days: Whole = Field(examples=[-2])
    orthodox: bool = False
    name: Name = Field(examples=["Good Friday"])

    def to_holiday(self) -> Holiday:
        return EasterOffset(self.offset_days, self.name, self.orthodox)


class CountryIn(Wire):
    """All public holidays of a country, or of one of its subdivisions, by their ISO 3166 codes."""

    kind: Literal["COUNTRY"]
    country: Text = Field(examples=["DE"], max_length=2)
    subdivision: Text | None = Field(default=None, examples=["BY"], max_length=20)

    def to_holiday(self) -> Holiday:
        return PublicHolidays(self.country, self.subdivision)


HolidayIn: TypeAlias = Annotated[FixedDateIn | NthWeekdayIn | EasterIn | CountryIn, Field(discriminator="kind")]


class ClosureIn(Wire):
    """Closed from `from` to `to`, both included; without `to` on the one day."""

    from_: Day = Field(alias="from")
    to: Day | None = None
    reason: Name = "closed"

    def to_closure(self) -> Closure:
        return Closure(self.from_, self.to or self.from_, self.reason)


class ExtraOpenDayIn(Wire):
    """Open whatever else is said of that day."""

    date: Day
    reason: Name = "extra open day"

    def to_extra(self) -> ExtraOpenDay:
        return ExtraOpenDay(self.date, self.reason)


class OpeningHoursIn(Wire):
    """On those weekdays open from `from` to before `to`, local; hours past midnight are two."""

    weekdays: list[WeekdayName] = Field(max_length=7, json_schema_extra={"minItems": 1})
    from_: LocalTime = Field(alias="from", examples=["09:00"])
    to: EndOfHours

    def to_hours(self) -> OpeningHours:
        return OpeningHours(_weekdays(self.weekdays), self.from_, self.to)


class CalendarIn(Body):
    """A calendar, as it is created.

    An extra open day wins over everything, then a closure, a holiday, a weekday that is no working day, then what is
    included: closed if any included calendar is. A weekday with opening hours is open in them, one without all day.
    `tz` is the zone that the days are days of; null is the schedule's.
    """

    name: Name
    description: Note = ""
    labels: Labels
    tz: Zone | None = None
    working_days: list[WeekdayName] = Field(default=["MO", "TU", "WE", "TH", "FR"], max_length=7)
    holidays: list[HolidayIn] = Field(default_factory=list, max_length=MAX_ITEMS)
    closures: list[ClosureIn] = Field(default_factory=list, max_length=MAX_ITEMS)
    extra_open_days: list[ExtraOpenDayIn] = Field(default_factory=list, max_length=MAX_ITEMS)
    opening_hours: list[OpeningHoursIn] = Field(default_factory=list, max_length=MAX_ITEMS)
    includes: list[Ref] = Field(default_factory=list, max_length=MAX_INCLUDES)

    def to_definition(self) -> CalendarDefinition:
        """Raises InvalidError."""
        with inside("holidays"):
            holidays = each(self.holidays, lambda one: one.to_holiday(), indexed=True)
        with inside("closures"):
            closures = each(self.closures, ClosureIn.to_closure, indexed=True)
        with inside("extraOpenDays"):
            extra_open_days = each(self.extra_open_days, ExtraOpenDayIn.to_extra, indexed=True)
        with inside("openingHours"):
            opening_hours = each(self.opening_hours, OpeningHoursIn.to_hours, indexed=True)
        return CalendarDefinition(
            name=self.name,
            description=self.description,
            labels=self.labels,
            tz=self.tz,
            working_days=_weekdays(self.working_days),
            holidays=tuple(holidays),
            closures=tuple(closures),
            extra_open_days=tuple(extra_open_days),
            opening_hours=tuple(opening_hours),
            includes=tuple(map(CalendarId, self.includes)),
        )


def revised_calendar(standing: CalendarSnapshot, patch: Document) -> CalendarDefinition:
    """Raises InvalidError."""
    return patched(CalendarIn, load(dump(calendar_view(standing))), patch).to_definition()


def _weekdays(names: Iterable[WeekdayName]) -> frozenset[Weekday]:
    return frozenset(Weekday[name] for name in names)


# Parameters


class DryRunQuery(Parameters):
    """A dry run answers what would come of it, and changes nothing."""

    dry_run: Flag = False


class DaysQuery(Parameters):
    """Both days are included."""

    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None

    def span(self, today: date) -> tuple[date, date]:
        """Without `from` it begins today, without `to` it is 31 days."""
        first = self.from_ or today
        return first, self.to or first + timedelta(days=30)


class FileQuery(Parameters):
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None

    def span(self, today: date) -> tuple[date, date]:
        """Without `from` it begins with this year, without `to` it ends with the year after its first."""
        first = self.from_ or date(today.year, 1, 1)
        return first, self.to or date(first.year + 1, 12, 31)


class ImportQuery(FileQuery, DryRunQuery):
    """The days that are looked at. Without `to` they end with the fourth year after their first."""

    def span(self, today: date) -> tuple[date, date]:
        first, _ = super().span(today)
        return first, self.to or date(first.year + 4, 12, 31)


def today_in(zone: ZoneInfo, now: datetime) -> date:
    return now.astimezone(zone).date()


# Answers


class FixedDateOut(Answer):
    kind: Literal["DATE"]
    month: int
    day: int
    name: str


class NthWeekdayOut(Answer):
    kind: Literal["WEEKDAY"]
    month: int
    weekday: WeekdayName
    nth: int
    name: str


class EasterOut(Answer):
    kind: Literal["EASTER"]
    offset_days: int
    orthodox: bool
    name: str


class CountryOut(Answer):
    kind: Literal["COUNTRY"]
    country: str
    subdivision: str | None


HolidayOut: TypeAlias = Annotated[FixedDateOut | NthWeekdayOut | EasterOut | CountryOut, Field(discriminator="kind")]


class ClosureOut(Answer):
    from_: date = Field(alias="from")
    to: date
    reason: str


class ExtraOpenDayOut(Answer):
    date: date
    reason: str


class OpeningHoursOut(Answer):
    weekdays: list[WeekdayName]
    from_: str = Field(alias="from")
    to: str


class CalendarOut(Answer):
    id: UUID
    tenant_id: str
    name: str
    description: str
    labels: dict[str, str]
    tz: str | None
    working_days: list[WeekdayName]
    holidays: list[HolidayOut]
    closures: list[ClosureOut]
    extra_open_days: list[ExtraOpenDayOut]
    opening_hours: list[OpeningHoursOut]
    includes: list[UUID]
    created_at: datetime
    updated_at: datetime
    version: int


class AffectedOut(Answer):
    """A schedule whose next fire moves; null where there is none."""

    schedule_id: UUID
    name: str
    from_: datetime | None = Field(alias="from")
    to: datetime | None


class ChangedOut(CalendarOut):
    """`affected` are the schedules whose next fires move, and from when to when."""

    affected: list[AffectedOut]


class DayOut(Answer):
    """`reason` is null for an ordinary working day."""

    date: date
    open: bool
    reason: str | None


class DaysOut(Answer):
    days: list[DayOut]


class TakenOut(Answer):
    holidays: list[HolidayOut]
    closures: list[ClosureOut]


class LeftOutOut(Answer):
    field: str = Field(examples=["events.3"])
    message: str


class ImportedOut(Answer):
    """`taken` is what is new in the calendar; `leftOut` the events that say nothing of closed days, and why."""

    calendar: CalendarOut
    taken: TakenOut
    left_out: list[LeftOutOut]
    affected: list[AffectedOut]


def imported_view(imported: Imported, left_out: Iterable[FieldFault]) -> View:
    return {
        "calendar": calendar_view(imported.changed.after),
        "taken": {
            "holidays": [holiday_view(one) for one in imported.holidays],
            "closures": [closure_view(one) for one in imported.closures],
        },
        "leftOut": [{"field": fault.field, "message": fault.message} for fault in left_out],
        "affected": affected_view(imported.changed),
    }


def changed_view(changed: ChangedCalendar) -> View:
    return {**calendar_view(changed.after), "affected": affected_view(changed)}


def affected_view(changed: ChangedCalendar) -> list[View]:
    return [
        {"scheduleId": moved.schedule_id, "name": moved.name, "from": moved.before, "to": moved.after}
        for moved in changed.moved
    ]
