"""Which days are open, and why: a calendar together with those that it includes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId
from rota.domain.time.zone import LATEST, load_zone

HORIZON = timedelta(days=3653)
"""How far an open day is looked for: ten years."""

MAX_DAYS = 3700
_MOST_REMEMBERED = 20_000
MAX_INCLUDED = 100
"""The most calendars that one includes, directly or not, each counted as often as it is included."""

_DAY = timedelta(days=1)


class Cause(StrEnum):
    """What decided about a day."""

    WORKING_DAY = "WORKING_DAY"
    EXTRA_OPEN_DAY = "EXTRA_OPEN_DAY"
    CLOSURE = "CLOSURE"
    HOLIDAY = "HOLIDAY"
    DAY_OFF = "DAY_OFF"  # a weekday that is no working day
    INCLUDED = "INCLUDED"  # closed by an included calendar


_OPEN = frozenset({Cause.WORKING_DAY, Cause.EXTRA_OPEN_DAY})


@dataclass(frozen=True, slots=True)
class DayVerdict:
    """Whether a day is open, and why; `reason` is for people, and empty for an ordinary working day."""

    day: date
    cause: Cause
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.cause in _OPEN


@dataclass(frozen=True, slots=True, eq=False)
class OpenDays:
    """A calendar that can be asked. Remembers the exceptions of the years that it was asked about.

    An extra open day wins over everything, then a closure, a holiday, a day off, then what is included:
    closed if any included calendar is closed.
    """

    definition: CalendarDefinition
    included: tuple[OpenDays, ...] = ()
    _years: dict[int, Mapping[date, DayVerdict]] = field(default_factory=dict, repr=False)
    _nearest: dict[tuple[date, timedelta], date] = field(default_factory=dict, repr=False)
    _closed_runs: dict[timedelta, tuple[date, date]] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone whose days these are; None for that of the schedule."""
        return load_zone(self.definition.tz) if self.definition.tz else None

    def is_open(self, day: date) -> bool:
        exception = self._exceptions(day.year).get(day)
        if exception is not None:
            return exception.is_open
        is_working_day = day.weekday() in self.definition.working_days
        return is_working_day and all(each.is_open(day) for each in self.included)

    def why(self, day: date) -> DayVerdict:
        exception = self._exceptions(day.year).get(day)
        if exception is not None:
            return exception
        if day.weekday() not in self.definition.working_days:
            return DayVerdict(day, Cause.DAY_OFF, f"{day:%A} is no working day")
        return self._included_closure(day) or DayVerdict(day, Cause.WORKING_DAY)

    def days(self, first: date, last: date) -> Iterator[DayVerdict]:
        """Every day from `first` to `last`, both included; raises InvalidError on `to`."""
        if last < first:
            raise InvalidError("must not be before `from`", "to")
        if (last - first).days >= MAX_DAYS:
            raise InvalidError(f"must be less than {MAX_DAYS:,} days after `from`", "to")
        return (self.why(first + n * _DAY) for n in range((last - first).days + 1))

    def open_days(self, first: date, last: date) -> Iterator[date]:
        """The open days from `first` to `last`, both included, ascending."""
        return filter(self.is_open, (first + n * _DAY for n in range((last - first).days + 1)))

    def next_open(self, day: date) -> date | None:
        """`day` itself if open, else the first open day after it; None if there is none within `HORIZON`."""
        last = day + min(HORIZON, LATEST.date() - day)
        return next(self.open_days(day, last), None)

    def open_from(self, day: date, step: timedelta, most: int) -> date | None:
        """The first open day from `day` on in steps of a day, this way or that; None if there is none in `most` days.

        What was found is remembered, and how far nothing is: many due times fall into one long closure, and each asks.
        """
        first, found = day, None
        passed: list[date] = []
        closed = self._closed_runs.get(step)
        begins, ends = closed if closed is not None and _lies_in(day, closed) else (day, None)
        if ends is not None:
            day = ends + step
        while abs((day - first).days) <= most:
            found = self._nearest.get((day, step)) or (day if self.is_open(day) else None)
            if found is not None:
                break
            passed.append(day)
            day += step
        if found is None:
            self._closed_runs[step] = (begins, day - step)
        elif len(self._nearest) <= _MOST_REMEMBERED:
            self._nearest.update(((each, step), found) for each in (first, *passed))
        return found if found is not None and abs((found - first).days) <= most else None

    def is_open_at(self, local: datetime) -> bool:
        """Whether the day is open, and its opening hours cover the time; `local` is naive."""
        day = local.date()
        if not self.is_open(day) or not self._hours_cover(local):
            return False
        is_extra = day in self._exceptions(day.year)
        return is_extra or all(each.is_open_at(local) for each in self.included)

    def may_open_at(self, at: time) -> bool:
        """False where no day, whatever its date, is open at that time of day."""
        return any(self._may_open_on(weekday, at) for weekday in range(7))

    def _may_open_on(self, weekday: int, at: time) -> bool:
        own = self.definition
        hours = [each for each in own.opening_hours if weekday in each.weekdays]
        if hours and not any(each.covers(at) for each in hours):
            return False
        if any(extra.day.weekday() == weekday for extra in own.extra_open_days):
            return True
        return weekday in own.working_days and all(each._may_open_on(weekday, at) for each in self.included)

    def why_at(self, local: datetime) -> DayVerdict:
        """As `why`, but a time outside the opening hours is closed."""
        verdict = self.why(local.date())
        if not verdict.is_open:
            return verdict
        if not self._hours_cover(local):
            return DayVerdict(local.date(), Cause.CLOSURE, f"outside the opening hours: {local:%H:%M}")
        if verdict.cause is Cause.EXTRA_OPEN_DAY:
            return verdict
        return self._included_closure_at(local) or verdict

    def _hours_cover(self, local: datetime) -> bool:
        weekday = local.weekday()
        of_the_day = [hours for hours in self.definition.opening_hours if weekday in hours.weekdays]
        return not of_the_day or any(hours.covers(local.time()) for hours in of_the_day)

    def _included_closure(self, day: date) -> DayVerdict | None:
        return self._first_closed(day, lambda calendar: calendar.why(day))

    def _included_closure_at(self, local: datetime) -> DayVerdict | None:
        return self._first_closed(local.date(), lambda calendar: calendar.why_at(local))

    def _first_closed(self, day: date, ask: Callable[[OpenDays], DayVerdict]) -> DayVerdict | None:
        for calendar in self.included:
            verdict = ask(calendar)
            if not verdict.is_open:
                return DayVerdict(day, Cause.INCLUDED, f"{calendar.name}: {verdict.reason}")
        return None

    def _exceptions(self, year: int) -> Mapping[date, DayVerdict]:
        """The days of a year that are not as their weekday says."""
        known = self._years.get(year)
        if known is None:
            known = self._years[year] = dict(self._verdicts(year))
        return known

    def _verdicts(self, year: int) -> Iterator[tuple[date, DayVerdict]]:
        """From the weakest to the strongest."""
        own = self.definition
        for holiday in reversed(own.holidays):
            for day, name in holiday.days_in(year):
                yield day, DayVerdict(day, Cause.HOLIDAY, name)
        for closure in reversed(own.closures):
            for day, reason in closure.days_in(year):
                yield day, DayVerdict(day, Cause.CLOSURE, reason)
        for extra in own.extra_open_days:
            if extra.day.year == year:
                yield extra.day, DayVerdict(extra.day, Cause.EXTRA_OPEN_DAY, extra.reason)


def _lies_in(day: date, run: tuple[date, date]) -> bool:
    return min(run) <= day <= max(run)


def open_days_of(calendar_id: CalendarId, definitions: Mapping[CalendarId, CalendarDefinition]) -> OpenDays:
    """The calendar with all that it includes, directly or not.

    Raises InvalidError on `includes` where one is not among the definitions, includes itself, or includes more than
    `MAX_INCLUDED`.
    """
    made: dict[CalendarId, OpenDays] = {}
    sizes: dict[CalendarId, int] = {}

    def make(wanted: CalendarId, path: tuple[CalendarId, ...]) -> OpenDays:
        if wanted in path:
            names = " > ".join(definitions[each].name for each in (*path[path.index(wanted) :], wanted))
            raise InvalidError(f"a calendar cannot include itself: {names}", "includes")
        if wanted not in definitions:
            raise InvalidError(f"there is no calendar {wanted}", "includes")
        if wanted not in made:
            own = definitions[wanted]
            made[wanted] = OpenDays(own, tuple(make(each, (*path, wanted)) for each in own.includes))
            sizes[wanted] = sum(1 + sizes[each] for each in own.includes)
            if sizes[wanted] > MAX_INCLUDED:
                raise InvalidError(f"{own.name} includes more than {MAX_INCLUDED} calendars in all", "includes")
        return made[wanted]

    return make(calendar_id, ())
