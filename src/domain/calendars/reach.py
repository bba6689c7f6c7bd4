"""How far a calendar moves due times at most, so that they can be put in order without looking at all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import FURTHEST

_DAY = timedelta(days=1)
_ZONES_APART = timedelta(days=2)  # a local date and that of UTC, and a clock change on the way


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """Of one calendar. Instants are aware, UTC."""

    calendar: OpenDays
    _known: dict[date, date] = field(default_factory=dict, repr=False)

    def floor(self, at: datetime) -> datetime:
        """Nothing that is scheduled at `at` or later moves to before this."""
        return _begin(self._all_open_since(at.date() - _ZONES_APART))

    def start(self, at: datetime) -> datetime:
        """Nothing that is scheduled before this moves to `at` or later."""
        return _begin(self._all_open_since(at.date() - _ZONES_APART - _DAY))

    def _all_open_since(self, day: date) -> date:
        """From that date to `day`, each time of day at which the calendar ever opens is open once at least."""
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = self._look_back(day)
        return known

    def _look_back(self, day: date) -> date:
        if self.calendar.zone and opening_bounds(self.calendar):  # with the clock, a move changes its time of day there
            return day - FURTHEST - 3 * _DAY
        closed = set(_times(self.calendar))
        for _ in range(FURTHEST.days + 3):
            closed = {each for each in closed if not self.calendar.is_open_at(datetime.combine(day, each))}
            if not closed:
                break
            day -= _DAY
        return day


@lru_cache(maxsize=1024)
def reach_of(calendar: OpenDays) -> Reach:
    """One for each calendar, as it remembers what it has found."""
    return Reach(calendar)


def _begin(day: date) -> datetime:
    """An instant before the day begins, wherever."""
    return datetime.combine(day, time(), UTC) - _DAY


def _times(calendar: OpenDays) -> Iterator[time]:
    """Times of day that stand for all: between two of them the opening hours do not change."""
    for each in {time(), *_bounds(calendar)}:
        if calendar.may_open_at(each):
            yield each


def _bounds(calendar: OpenDays) -> Iterator[time]:
    for hours in calendar.definition.opening_hours:
        yield hours.opens
        yield hours.closes
    for included in calendar.included:
        yield from _bounds(included)


def opening_bounds(calendar: OpenDays) -> tuple[time, ...]:
    """The times of day at which opening hours begin or end, ascending."""
    return tuple(sorted({*_bounds(calendar)}))
