"""iCalendar files: their all-day events as holidays and closures, and closed days as such events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice
from typing import NamedTuple

from icalendar import Calendar, Event

from rota.application.ports.calendar_files import ImportedDays
from rota.domain.calendars.definition import (
    MAX_ITEMS,
    Closure,
    FixedDate,
    Holiday,
    NthWeekday,
    Weekday,
)
from rota.domain.calendars.open_days import DayVerdict
from rota.domain.errors import FieldFault, InvalidError
from rota.domain.ids import CalendarId
from rota.domain.time.recurrence import Frequency
from rota.domain.time.rrule import RecurrenceRule
from rota.domain.time.rrule_text import parse_rrule
from rota.domain.time.zone import load_zone

_DAY = timedelta(days=1)
_UTC = load_zone("UTC")
_LONGEST_NAME = 200
_MOST_RECURRENCES = 10 * MAX_ITEMS
_OF_DAYS = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")


class ICalendarFiles:
    """RFC 5545."""

    def read(self, data: bytes, first: date, last: date) -> ImportedDays:
        return read_ical(data, first, last)

    def write(self, calendar_id: CalendarId, name: str, days: Iterable[DayVerdict], stamp: datetime) -> bytes:
        return write_ical(calendar_id, name, days, stamp)


def read_ical(data: bytes, first: date, last: date) -> ImportedDays:
    events = _events(data)
    moved = _moved_instances(events)
    reading = _Reading(first, last)
    for number, event in enumerate(events):
        reading.take(number, event, moved)
    return reading.result()


def write_ical(calendar_id: CalendarId, name: str, days: Iterable[DayVerdict], stamp: datetime) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//Rota//Calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    for row in _rows(day for day in days if not day.is_open):
        calendar.add_component(_event(calendar_id, row, stamp))
    return bytes(calendar.to_ical())


def _events(data: bytes) -> list[Event]:
    try:
        found = Calendar.from_ical(data, multiple=True)
    except ValueError as error:
        raise InvalidError(f"is no iCalendar file: {error}", "ical") from error
    calendars = [each for each in found if isinstance(each, Calendar)]
    if not calendars:
        raise InvalidError("is no iCalendar file: it has no VCALENDAR", "ical")
    return [event for calendar in calendars for event in calendar.events]


def _moved_instances(events: Iterable[Event]) -> Mapping[str, set[date]]:
    """Of each recurring event, the days that an event of their own takes the place of."""
    moved: dict[str, set[date]] = defaultdict(set)
    for event in events:
        if (instance := event.get("RECURRENCE-ID")) is not None and hasattr(instance, "dt"):
            moved[str(event.get("UID", ""))].add(_date(instance.dt))
    return moved


class _Span(NamedTuple):
    """The days of one event, both included."""

    first: date
    last: date

    @property
    def length(self) -> timedelta:
        return self.last - self.first

    def at(self, day: date) -> _Span:
        return _Span(day, day + self.length)


class _Leave(Exception):
    """This event says nothing of closed days."""


class _Reading:
    """What has been read of a file so far."""

    def __init__(self, first: date, last: date) -> None:
        self._first, self._last = first, last
        self._holidays: dict[Holiday, None] = {}
        self._closures: set[Closure] = set()
        self._left_out: list[FieldFault] = []
        self._recurrences = 0
        self._faults: list[FieldFault] = []

    def take(self, number: int, event: Event, moved: Mapping[str, set[date]]) -> None:
        """Raises InvalidError where what came before recurs so often that it would take minutes to read on."""
        if self._recurrences > _MOST_RECURRENCES:
            raise InvalidError(f"its events recur more than {_MOST_RECURRENCES:,} times in all", "ical")
        place, name = f"events.{number}", _name(event)
        try:
            self._take(event, name, moved)
        except _Leave as reason:
            self._left_out.append(FieldFault(place, f"{name!r}: {reason}"))
        except InvalidError as error:
            self._faults += [FieldFault(place, f"{name!r}: {fault.message}") for fault in error.faults]
        except ValueError as error:  # the library's, for a component that is not whole
            self._faults.append(FieldFault(place, f"{name!r}: {error}"))

    def result(self) -> ImportedDays:
        if self._faults:
            raise InvalidError("", faults=tuple(self._faults))
        closures = sorted(self._closures, key=lambda each: (each.first, each.last, each.reason))
        return ImportedDays(tuple(self._holidays), tuple(closures), tuple(self._left_out))

    def _take(self, event: Event, name: str, moved: Mapping[str, set[date]]) -> None:
        span = _span(event)
        if "RRULE" in event and "RECURRENCE-ID" not in event:
            self._take_recurring(span, _rule(event, moved), name)
        elif span.last < self._first or span.first > self._last:
            raise _Leave(f"is not in the days from {self._first} to {self._last}")
        else:
            self._closures.add(Closure(*span, name))

    def _take_recurring(self, span: _Span, rule: RecurrenceRule, name: str) -> None:
        holiday = _yearly(span, rule, name) if span.first <= self._first else None
        if holiday is not None:
            self._holidays[holiday] = None
            return
        spans = [span.at(day) for day in islice(self._recurring_days(span, rule), MAX_ITEMS + 1)]
        self._recurrences += len(spans)
        if len(spans) > MAX_ITEMS:
            raise InvalidError(f"recurs more than {MAX_ITEMS:,} times; weekly days off belong into `workingDays`")
        if not spans:
            raise _Leave(f"does not recur in the days from {self._first} to {self._last}")
        self._closures.update(Closure(*each, name) for each in spans)

    def _recurring_days(self, span: _Span, rule: RecurrenceRule) -> Iterator[date]:
        start, low, high = (
            datetime.combine(day, time(), UTC) for day in (span.first, self._first - span.length, self._last)
        )
        found = rule.between(low - timedelta(seconds=1), high, start.replace(tzinfo=None), _UTC)
        return (at.date() for at in found)


def _span(event: Event) -> _Span:
    """Raises _Leave, InvalidError, ValueError."""
    for name, message in event.errors:
        if name in _OF_DAYS:
            raise InvalidError(f"{name}: {message}")
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        raise _Leave("is cancelled")
    first, end = event.start, event.end
    if isinstance(first, datetime) or isinstance(end, datetime):
        raise _Leave("is not an all-day event")
    return _Span(first, max(end - _DAY, first))


def _rule(event: Event, moved: Mapping[str, set[date]]) -> RecurrenceRule:
    """The event's recurrence, in days; raises InvalidError."""
    rules = _listed(event.get("RRULE"))
    without = {*_dates(event, "EXDATE"), *moved.get(str(event.get("UID", "")), ())}
    lines = [f"RRULE:{rule.to_ical().decode()}" for rule in rules]
    lines += [f"EXDATE;VALUE=DATE:{day:%Y%m%d}" for day in sorted(without)]
    lines += [f"RDATE:{day:%Y%m%d}T000000" for day in _dates(event, "RDATE")]
    return parse_rrule("\n".join(lines))


def _yearly(span: _Span, rule: RecurrenceRule, name: str) -> Holiday | None:
    """The holiday that recurs as this one-day event does, if there is such a kind."""
    own = rule.recurrence
    is_endless = rule.count is None and rule.until is None and not rule.excluded and not rule.added
    is_plain = not (own.weeks or own.year_days or own.positions) and own.interval == 1
    months = own.months or (span.first.month,)
    if own.frequency is not Frequency.YEARLY or not is_endless or not is_plain or span.length or len(months) > 1:
        return None
    if not own.weekdays:
        days = own.month_days or (span.first.day,)
        return FixedDate(months[0], days[0], name) if len(days) == 1 and days[0] > 0 else None
    (weekday, nth), *more = own.weekdays
    if more or not nth or own.month_days or not own.months:
        return None
    return NthWeekday(months[0], Weekday(weekday), nth, name)


def _dates(event: Event, name: str) -> list[date]:
    return sorted({_date(each.dt) for listed in _listed(event.get(name)) for each in listed.dts})


def _listed(value: object) -> list:  # type: ignore[type-arg]  # the library's: one, several as a list, or none
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _date(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _name(event: Event) -> str:
    words = " ".join(str(event.get("SUMMARY", "")).split())
    return "".join(letter for letter in words if letter.isprintable())[:_LONGEST_NAME] or "closed"


def _rows(days: Iterable[DayVerdict]) -> Iterator[list[DayVerdict]]:
    """Days without a gap that are closed for one reason."""
    for _, row in groupby(enumerate(days), key=lambda each: (each[1].day.toordinal() - each[0], each[1].reason)):
        yield [day for _, day in row]


def _event(calendar_id: CalendarId, row: list[DayVerdict], stamp: datetime) -> Event:
    event = Event()
    event.add("uid", f"{row[0].day:%Y%m%d}.{calendar_id}@rota")
    event.add("dtstamp", stamp)
    event.add("dtstart", row[0].day)
    event.add("dtend", row[-1].day + _DAY)
    event.add("summary", row[0].reason)
    event.add("categories", [row[0].cause.value])
    event.add("transp", "TRANSPARENT")  # who subscribes to it is not busy
    return event
