"""Recurrence rules of RFC 5545: when one is due. `rrule_text` reads them.

The rule runs in local time and `zone.on_time_line` places what it finds. Where it says less than it seems:

* `COUNT` counts due times, excluded ones too and those that a clock change takes away not (RFC 5545, 3.3.10).
  A rule with COUNT ends `HORIZON` after its start at the latest.
* `UNTIL` with a `Z` is an instant, without it a local time, as a date that whole local day; all included.
* `EXDATE` and `RDATE` likewise: instants with a `Z`, else local times, in the zone of a `TZID` where one is
  given. An EXDATE that is a date takes all of that local day. An RDATE before the start is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rota.domain.errors import InvalidError
from rota.domain.time.recurrence import Recurrence
from rota.domain.time.zone import EARLIEST, LATEST, ClockChange, Gap, Overlap, Walls, load_zone, on_time_line, place

HORIZON = timedelta(days=100 * 366)
"""How far the next fire is looked for, from now or from a start yet to come."""

RFC_5545 = ClockChange(Gap.SKIP, Overlap.FIRST)
"""A skipped local time is no instance, a repeated one is its first."""

_REACH = timedelta(days=2)  # as in `zone`: longer than any offset and any clock change, together
_MICROSECOND = timedelta(microseconds=1)
_NEVER = datetime(9999, 1, 1)  # past the end of every time line


class Moment(NamedTuple):
    """A date or time of the text. An aware `at` is an instant; a naive one is local, in `tz` or the schedule's zone."""

    at: datetime
    tz: str | None = None
    is_whole_day: bool = False

    def is_local_to(self, zone: ZoneInfo) -> bool:
        return self.at.tzinfo is None and self.tz in (None, zone.key)

    def instant(self) -> datetime:
        """Of one that is not local to the schedule. Source of the placing: RFC 5545, 3.3.5."""
        if self.tz is None:
            return self.at
        return place(self.at, load_zone(self.tz), ClockChange(Gap.SHIFT, Overlap.FIRST))[0]


class _Stated(NamedTuple):
    """The moments of EXDATE or RDATE lines, as a zone sees them."""

    walls: tuple[datetime, ...]
    days: frozenset[date]
    instants: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class RecurrenceRule:
    """A rule that has been read; `rrule_text.parse_rrule` makes it. Equal texts are equal rules.

    A naive `start` is local time, an aware one an instant; both are cut to the second. Nothing is due before it.
    Without `change`, a skipped local time is no instance, and a repeated one is its first.
    Source: RFC 5545, 3.3.10 and 3.3.5.
    """

    text: str
    recurrence: Recurrence = field(compare=False, repr=False)
    count: int | None = field(default=None, compare=False, repr=False)
    until: Moment | None = field(default=None, compare=False, repr=False)
    excluded: tuple[Moment, ...] = field(default=(), compare=False, repr=False)
    added: tuple[Moment, ...] = field(default=(), compare=False, repr=False)

    def next_fire(
        self, after: datetime, start: datetime, zone: ZoneInfo, change: ClockChange | None = None
    ) -> datetime | None:
        """The first due time strictly later than `after`, in UTC; None if there is none within `HORIZON`."""
        low = max(after, _not_before(start), EARLIEST)
        return next(self.between(low, low + min(HORIZON, LATEST - low), start, zone, change), None)

    def between(
        self, after: datetime, until: datetime, start: datetime, zone: ZoneInfo, change: ClockChange | None = None
    ) -> Iterator[datetime]:
        """The due times in (after, until], in UTC, strictly ascending."""
        after = max(after, _not_before(start))
        change = change or RFC_5545
        found = self._by_rule(after, until, start, zone, change)
        if self.added:
            found = _once_each(merge(found, self._by_date(after, until, start, zone, change)))
        gone = frozenset(_stated(self.excluded, zone).instants)
        return (due for due in found if due not in gone) if gone else found

    def walls(self, start: datetime, zone: ZoneInfo) -> Walls:
        """The local times that it names, before a clock change takes or doubles any; as `on_time_line` asks for them.

        COUNT and what is stated as an instant are not looked at.
        """
        by_rule, by_date = self._walls(start, zone), self._dates(start, zone)
        return lambda low, high: _once_each(merge(by_rule(low, high), by_date(low, high)))

    def check_can_fire(self, start: datetime, zone: ZoneInfo, change: ClockChange | None = None) -> None:
        """Raises InvalidError on `rrule` where nothing is due within `HORIZON` of the start."""
        if self.next_fire(EARLIEST, start, zone, change) is None:
            raise InvalidError("can never fire: from its start on, it has no instance within 100 years", "rrule")

    def _by_rule(
        self, after: datetime, until: datetime, start: datetime, zone: ZoneInfo, change: ClockChange
    ) -> Iterator[datetime]:
        end = self._last_wall()
        last = min(until, self._last_instant(), _at_least(end))
        if self.count is not None and after < last:
            last = min(last, _last_counted(self, start, zone, change))
        return on_time_line(self._walls(start, zone), zone, change, after, last)

    def _walls(self, start: datetime, zone: ZoneInfo) -> Walls:
        """What the rule names in local time, less what EXDATE takes from it."""
        low, end = _wall(start, zone), self._last_wall()
        gone = _stated(self.excluded, zone)
        excluded = frozenset(gone.walls)

        def walls(first: datetime, until: datetime) -> Iterator[datetime]:
            found = self.recurrence.walls(low, first, min(until, end))
            if not excluded and not gone.days:
                return found
            return (wall for wall in found if wall not in excluded and wall.date() not in gone.days)

        return walls

    def _dates(self, start: datetime, zone: ZoneInfo) -> Walls:
        """What RDATE names in local time; EXDATE takes from it as from the rule."""
        gone, more = _stated(self.excluded, zone), _stated(self.added, zone)
        return _among(
            [wall for wall in more.walls if wall not in gone.walls and wall.date() not in gone.days], _wall(start, zone)
        )

    def _by_date(
        self, after: datetime, until: datetime, start: datetime, zone: ZoneInfo, change: ClockChange
    ) -> Iterator[datetime]:
        """What RDATE adds."""
        instants = (at for at in _stated(self.added, zone).instants if after < at <= until)
        return merge(on_time_line(self._dates(start, zone), zone, change, after, until), instants)

    def _last_wall(self) -> datetime:
        """The first local time that is too late by an UNTIL in local time."""
        if self.until is None or self.until.at.tzinfo is not None or self.until.at >= _NEVER:
            return _NEVER
        return self.until.at + (timedelta(days=1) if self.until.is_whole_day else _MICROSECOND)

    def _last_instant(self) -> datetime:
        if self.until is None or self.until.at.tzinfo is None:
            return LATEST
        return self.until.at


@lru_cache(maxsize=4096)
def _last_counted(rule: RecurrenceRule, start: datetime, zone: ZoneInfo, change: ClockChange) -> datetime:
    """The due time with which COUNT is used up, excluded ones counted; else the horizon."""
    everything = replace(rule, count=None, excluded=(), added=())
    low = _not_before(start)
    horizon = low + min(HORIZON, LATEST - low)
    found = everything.between(low, horizon, start, zone, change)
    return next(islice(found, (rule.count or 1) - 1, None), horizon)


def default_start(created: datetime, zone: ZoneInfo) -> datetime:
    """Where a rule begins that says nothing of it: 00:00 local of the day of creation, naive."""
    return datetime.combine(created.astimezone(zone).date(), time())


def _wall(start: datetime, zone: ZoneInfo) -> datetime:
    """The start as the clock reads it."""
    local = start.astimezone(zone) if start.tzinfo else start
    return local.replace(tzinfo=None, microsecond=0, fold=0)


def _not_before(start: datetime) -> datetime:
    """An instant that all due times are later than: just before an aware start, well before a naive one."""
    if start.tzinfo:
        return start.astimezone(UTC).replace(microsecond=0) - _MICROSECOND
    return start.replace(tzinfo=UTC) - _REACH


def _at_least(wall: datetime) -> datetime:
    """An instant when the clock has passed `wall` everywhere."""
    return min(wall, _NEVER).replace(tzinfo=UTC) + _REACH


def _among(walls: list[datetime], earliest: datetime) -> Callable[[datetime, datetime], list[datetime]]:
    return lambda low, high: [wall for wall in walls if max(low, earliest) <= wall < high]


def _once_each(ascending: Iterable[datetime]) -> Iterator[datetime]:
    latest = None
    for each in ascending:
        if each != latest:
            yield each
        latest = each


@lru_cache(maxsize=1024)
def _stated(moments: tuple[Moment, ...], zone: ZoneInfo) -> _Stated:
    local = [each for each in moments if each.is_local_to(zone)]
    return _Stated(
        walls=tuple(sorted({each.at for each in local if not each.is_whole_day})),
        days=frozenset(each.at.date() for each in local if each.is_whole_day),
        instants=tuple(sorted({each.instant() for each in moments if not each.is_local_to(zone)})),
    )
