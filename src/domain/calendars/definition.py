"""What a tenant says of a calendar: its working days, and what makes an exception of a day."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from enum import IntEnum
from typing import ClassVar, Protocol, TypeVar

from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId, printable_name
from rota.domain.labels import check_labels
from rota.domain.time.holidays import check_country, easter_sunday, public_holidays
from rota.domain.time.zone import load_zone

Thing = TypeVar("Thing")

MAX_ITEMS = 1000
"""The most holidays, closures, extra open days and opening hours of one calendar, each."""

MAX_INCLUDES = 20
MAX_COUNTRIES = 50
"""The most countries and subdivisions whose public holidays one calendar has: each takes a millisecond a year."""

_LEAP_YEAR = 2028


class Weekday(IntEnum):
    """Numbered as Python's dates number them; the names are those of recurrence rules."""

    MO = 0
    TU = 1
    WE = 2
    TH = 3
    FR = 4
    SA = 5
    SU = 6


MONDAY_TO_FRIDAY = frozenset({Weekday.MO, Weekday.TU, Weekday.WE, Weekday.TH, Weekday.FR})
_ORDINALS = frozenset({*range(1, 6), *range(-5, 0)})


class Holiday(Protocol):
    """A rule that names days of a year."""

    kind: ClassVar[str]

    def days_in(self, year: int) -> Iterator[tuple[date, str]]:
        """The days, and what each is called."""
        ...


@dataclass(frozen=True, slots=True)
class FixedDate:
    """The same date each year; 29 February only in leap years."""

    kind: ClassVar[str] = "DATE"
    month: int
    day: int
    name: str

    def __post_init__(self) -> None:
        _check_month(self.month)
        most = monthrange(_LEAP_YEAR, self.month)[1]
        if not 1 <= self.day <= most:
            raise InvalidError(f"must be from 1 to {most}", "day")
        printable_name(self.name)

    def days_in(self, year: int) -> Iterator[tuple[date, str]]:
        if self.day <= monthrange(year, self.month)[1]:
            yield date(year, self.month, self.day), self.name


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """The nth such weekday of a month, from its end where negative; none in a month that has not so many."""

    kind: ClassVar[str] = "WEEKDAY"
    month: int
    weekday: Weekday
    nth: int
    name: str

    def __post_init__(self) -> None:
        _check_month(self.month)
        if self.nth not in _ORDINALS:
            raise InvalidError("must be from 1 to 5, or from -5 to -1", "nth")
        printable_name(self.name)

    def days_in(self, year: int) -> Iterator[tuple[date, str]]:
        size = monthrange(year, self.month)[1]
        first = 1 + (self.weekday - date(year, self.month, 1).weekday()) % 7
        alike = range(first, size + 1, 7)
        if abs(self.nth) <= len(alike):
            yield date(year, self.month, alike[self.nth - 1 if self.nth > 0 else self.nth]), self.name


@dataclass(frozen=True, slots=True)
class EasterOffset:
    """So many days after Easter Sunday, before it where negative: Good Friday is -2, Corpus Christi 60."""

    kind: ClassVar[str] = "EASTER"
    offset: int
    name: str
    orthodox: bool = False

    def __post_init__(self) -> None:
        if not -80 <= self.offset <= 230:  # never leaves the year of that Easter
            raise InvalidError("must be from -80 to 230", "offsetDays")
        printable_name(self.name)

    def days_in(self, year: int) -> Iterator[tuple[date, str]]:
        yield easter_sunday(year, orthodox=self.orthodox) + timedelta(days=self.offset), self.name


@dataclass(frozen=True, slots=True)
class PublicHolidays:
    """All public holidays of a country, or of one of its subdivisions, by their ISO 3166 codes: DE and BY."""

    kind: ClassVar[str] = "COUNTRY"
    country: str
    subdivision: str | None = None

    def __post_init__(self) -> None:
        check_country(self.country, self.subdivision)

    def days_in(self, year: int) -> Iterator[tuple[date, str]]:
        yield from public_holidays(self.country, self.subdivision, year).items()


@dataclass(frozen=True, slots=True)
class Closure:
    """Closed from `first` to `last`, both included."""

    first: date
    last: date
    reason: str

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InvalidError("must not be before `from`", "to")
        printable_name(self.reason, "reason")

    def days_in(self, year: int) -> Iterator[tuple[date, str]]:
        day, last = max(self.first, date(year, 1, 1)), min(self.last, date(year, 12, 31))
        for n in range((last - day).days + 1):
            yield day + timedelta(days=n), self.reason


@dataclass(frozen=True, slots=True)
class ExtraOpenDay:
    """Open whatever else is said of that day, by this calendar or by those that it includes."""

    day: date
    reason: str = "extra open day"

    def __post_init__(self) -> None:
        printable_name(self.reason, "reason")


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """On those weekdays open from `opens` to before `closes`, local; midnight as `closes` is the end of the day."""

    weekdays: frozenset[Weekday]
    opens: time
    closes: time

    def __post_init__(self) -> None:
        if not self.weekdays:
            raise InvalidError("must name at least one weekday", "weekdays")
        if self.closes != time(0) and self.closes <= self.opens:
            raise InvalidError("must be after `from`; hours past midnight are two", "to")

    def covers(self, at: time) -> bool:
        return self.opens <= at and (self.closes == time(0) or at < self.closes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDefinition:
    """What a tenant says of a calendar.

    A weekday with opening hours is open in them; one without is open all day. `tz` is the zone that its days
    are days of; without it, the schedule's. The `tz` of an included calendar does not count.
    """

    name: str
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    tz: str | None = None
    working_days: frozenset[Weekday] = MONDAY_TO_FRIDAY
    holidays: tuple[Holiday, ...] = ()
    closures: tuple[Closure, ...] = ()
    extra_open_days: tuple[ExtraOpenDay, ...] = ()
    opening_hours: tuple[OpeningHours, ...] = ()
    includes: tuple[CalendarId, ...] = ()

    def __post_init__(self) -> None:
        printable_name(self.name)
        if len(self.description) > 2000:
            raise InvalidError("must have at most 2,000 characters", "description")
        check_labels(self.labels)
        if not self.working_days and not self.extra_open_days:
            raise InvalidError(
                "must not be empty without extra open days: the calendar would never open", "workingDays"
            )
        self._check_zone()
        self._check_sizes()

    def opens_like(self, other: CalendarDefinition) -> bool:
        """Whether both say the same of each day, whatever they are called."""
        return replace(self, name=other.name, description=other.description, labels=other.labels) == other

    def with_days(self, holidays: Iterable[Holiday], closures: Iterable[Closure]) -> CalendarDefinition:
        """With these too, behind its own; what it has already is not added. Raises InvalidError for too many."""
        return replace(
            self,
            holidays=(*self.holidays, *_new(holidays, self.holidays)),
            closures=(*self.closures, *_new(closures, self.closures)),
        )

    def _check_zone(self) -> None:
        if self.tz is not None:
            try:
                load_zone(self.tz)
            except InvalidError as error:
                raise error.under("tz") from error

    def _check_sizes(self) -> None:
        lists: dict[str, tuple[Sized, int]] = {
            "holidays": (self.holidays, MAX_ITEMS),
            "closures": (self.closures, MAX_ITEMS),
            "extraOpenDays": (self.extra_open_days, MAX_ITEMS),
            "openingHours": (self.opening_hours, MAX_ITEMS),
            "includes": (self.includes, MAX_INCLUDES),
        }
        for name, (items, most) in lists.items():
            if len(items) > most:
                raise InvalidError(f"must have at most {most:,} items", name)
        if sum(isinstance(each, PublicHolidays) for each in self.holidays) > MAX_COUNTRIES:
            raise InvalidError(f"must have at most {MAX_COUNTRIES} of kind COUNTRY", "holidays")


def _new(found: Iterable[Thing], known: Iterable[Thing]) -> Iterator[Thing]:
    """Those that are not known, each once."""
    seen = set(known)
    for each in found:
        if each not in seen:
            seen.add(each)
            yield each


def _check_month(month: int) -> None:
    if not 1 <= month <= 12:
        raise InvalidError("must be from 1 to 12", "month")
