"""In which order the due times of a schedule come.

The trigger names an instant (`scheduled_for`), the calendar may close it or move it to an open day, and the spread
of the schedule makes it later by the same length each time: that is its `due_at`.

Where a calendar moves due times, their order is not that of the trigger: Saturday's and Sunday's go behind or
before those of Monday or Friday. So a course has marks, which say how far one has come on it: by `scheduled_for`
where nothing moves, else by `due_at`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from heapq import heappop, heappush
from operator import attrgetter
from typing import Protocol

from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.reach import opening_bounds, reach_of
from rota.domain.calendars.settling import FURTHEST, OnClosed, settle
from rota.domain.misfire import DueTime
from rota.domain.time.zone import EARLIEST, LATEST
from rota.domain.trigger import Cron, Ground, OnBusinessDay, Trigger

HORIZON = timedelta(days=100 * 366)
"""How far the next due time is looked for."""

FRUITLESS = 5_000
"""After so many closed times in a row it is said that nothing comes."""

_JUST = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_FIRST = EARLIEST + 2 * FURTHEST
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Course(Protocol):
    """The due times of a schedule, in order of `due_at` and then of `scheduled_for`."""

    def next_after(self, mark: datetime) -> DueTime | None:
        """The first beyond the mark; None if there is no further one."""
        ...

    def beyond(self, mark: datetime, until: datetime | None = None) -> Iterator[DueTime]:
        """Those beyond the mark whose `due_at` is at most `until`; None is no limit."""
        ...

    def at(self, scheduled_for: datetime) -> DueTime | None:
        """What becomes of that instant of the trigger; None if the calendar closes it."""
        ...

    def mark_of(self, due: DueTime) -> datetime:
        """The mark behind which nothing up to `due` lies."""
        ...

    def mark_at(self, now: datetime) -> datetime:
        """The mark behind which nothing lies that `now` has reached."""
        ...


@dataclass(frozen=True, slots=True)
class Straight:
    """In the trigger's own order; a calendar, if there is one, closes times and moves none. Marks are by
    `scheduled_for`.
    """

    trigger: Trigger
    ground: Ground
    end_at: datetime | None = None
    spread: timedelta = timedelta(0)
    closes: bool = False

    def next_after(self, mark: datetime) -> DueTime | None:
        after = self._from(mark)
        instant = self.trigger.next_fire(after, self.ground)
        if instant is not None and not self._is_open(instant):
            instant = next(self._open(instant, min(instant, LATEST - HORIZON) + HORIZON), None)
        if instant is None or (self.end_at is not None and instant >= self.end_at):
            return None
        return DueTime(instant, instant + self.spread)

    def beyond(self, mark: datetime, until: datetime | None = None) -> Iterator[DueTime]:
        if until is None:
            while (due := self.next_after(mark)) is not None:
                yield due
                mark = due.scheduled_for
            return
        last = self.mark_at(until)
        if self.end_at is not None:
            last = min(last, self.end_at - _JUST)
        for instant in self._open(self._from(mark), last):
            yield DueTime(instant, instant + self.spread)

    def at(self, scheduled_for: datetime) -> DueTime | None:
        return DueTime(scheduled_for, scheduled_for + self.spread) if self._is_open(scheduled_for) else None

    def mark_of(self, due: DueTime) -> datetime:
        return due.scheduled_for

    def mark_at(self, now: datetime) -> datetime:
        return now - self.spread

    def _from(self, mark: datetime) -> datetime:
        start = self.ground.start_at
        return mark if start is None else max(mark, start - _JUST)

    def _is_open(self, instant: datetime) -> bool:
        calendar = self.ground.open_days
        if not self.closes or calendar is None:
            return True
        return settle(instant, self.ground.zone, calendar, OnClosed.SKIP) is not None

    def _open(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The open times in (after, until]; closed stretches are leapt over."""
        calendar = self.ground.open_days
        if not self.closes or calendar is None:
            yield from self.trigger.fires_between(after, until, self.ground)
            return
        found, fruitless = self.trigger.fires_between(after, until, self.ground), 0
        while (instant := next(found, None)) is not None and fruitless < FRUITLESS:
            if self._is_open(instant):
                fruitless = 0
                yield instant
                continue
            fruitless += 1
            later = _opens_after(instant, self.ground, calendar)
            if later is None:
                return
            if later > instant:
                found = self.trigger.fires_between(later - _JUST, until, self.ground)


def _opens_after(instant: datetime, ground: Ground, calendar: OpenDays) -> datetime | None:
    """From the closed `instant` to this one the calendar stays closed; None if it never opens again."""
    zone = calendar.zone or ground.zone
    local = instant.astimezone(zone)
    day = local.date()
    if calendar.is_open(day):
        following = next((each for each in opening_bounds(calendar) if each > local.time()), None)
        wall = datetime.combine(day + _DAY, time()) if following is None else datetime.combine(day, following)
    else:
        opening = calendar.next_open(day)
        if opening is None:
            return None
        wall = datetime.combine(opening, time())
    later = wall.replace(tzinfo=zone)
    sure = timedelta(0) if later.utcoffset() == local.utcoffset() else _DAY  # a clock change may repeat local times
    return max(instant, later.astimezone(UTC) - sure)


@dataclass(frozen=True, slots=True)
class Moved:
    """In the order that the calendar's moves make. Marks are by `due_at`.

    What comes on one day (UTC) is worked out at once and remembered for all schedules that have the same trigger,
    zone, bounds and calendar: the spread is added afterwards.
    """

    trigger: Trigger
    ground: Ground
    on_closed: OnClosed
    end_at: datetime | None = None
    spread: timedelta = timedelta(0)

    def next_after(self, mark: datetime) -> DueTime | None:
        return next(self.beyond(mark), None)

    def beyond(self, mark: datetime, until: datetime | None = None) -> Iterator[DueTime]:
        last = (until or LATEST) - self.spread
        mark = max(mark - self.spread, _FIRST)
        day: datetime | None = _midnight(mark)
        while day is not None and day <= last:
            landed, day = self._landings(day)
            for place in range(bisect_right(landed, mark, key=_due_at), len(landed)):
                due = landed[place]
                if due.due_at > last:
                    return
                yield DueTime(due.scheduled_for, due.due_at + self.spread) if self.spread else due

    def at(self, scheduled_for: datetime) -> DueTime | None:
        landed = _settle(scheduled_for, self.ground, self.on_closed)
        return None if landed is None else DueTime(scheduled_for, landed + self.spread)

    def mark_of(self, due: DueTime) -> datetime:
        return due.due_at

    def mark_at(self, now: datetime) -> datetime:
        return now

    def scheduled(self, after: datetime, mark: datetime) -> Iterator[datetime]:
        """The trigger's instants later than `after` that may be due up to the mark."""
        settled = mark - self.spread
        for instant in self.trigger.fires_between(after, min(mark, LATEST - HORIZON) + HORIZON, self.ground):
            if _floor(instant, self.ground, self.on_closed) > settled:
                return
            yield instant

    def earliest(self, mark: datetime) -> datetime:
        """What is scheduled before this is not due beyond the mark."""
        return _start(max(mark - self.spread, _FIRST), self.ground, self.on_closed)

    def mark_before(self, scheduled_for: datetime) -> datetime:
        """A mark that all lies beyond which is scheduled then or later."""
        return _floor(max(scheduled_for, _FIRST), self.ground, self.on_closed) - _JUST

    def _landings(self, day: datetime) -> tuple[tuple[DueTime, ...], datetime | None]:
        ground = self.ground
        if isinstance(self.trigger, Cron | OnBusinessDay):  # whatever their creation, so that all share one answer
            ground = replace(ground, created_at=_ANY_TIME)
        return _landings(self.trigger, ground, self.on_closed, self.end_at, day)


@lru_cache(maxsize=2048)
def _landings(
    trigger: Trigger, ground: Ground, on_closed: OnClosed, end_at: datetime | None, day: datetime
) -> tuple[tuple[DueTime, ...], datetime | None]:
    """What lands on that day (UTC), in order, and the next day on which something does; None if there is none."""
    found: list[DueTime] = []
    for due in _in_order(trigger, ground, on_closed, end_at, day):
        if due.due_at >= day + _DAY:
            return tuple(found), _midnight(due.due_at)
        found.append(due)
    return tuple(found), None


def _in_order(
    trigger: Trigger, ground: Ground, on_closed: OnClosed, end_at: datetime | None, first: datetime
) -> Iterator[DueTime]:
    """What lands at `first` or later, in order. What has landed waits until nothing can come before it."""
    after = _start(first, ground, on_closed) - _JUST
    if ground.start_at is not None:
        after = max(after, ground.start_at - _JUST)
    until = min(first, LATEST - HORIZON) + HORIZON
    if end_at is not None:
        until = min(until, end_at - _JUST)
    waiting: list[tuple[datetime, datetime]] = []
    for instant, landed in _landing(trigger, ground, on_closed, after, until):
        floor = _floor(instant, ground, on_closed)
        while waiting and waiting[0][0] < floor:
            at, scheduled_for = heappop(waiting)
            yield DueTime(scheduled_for, at)
        if landed >= first:
            heappush(waiting, (landed, instant))
    while waiting:
        at, scheduled_for = heappop(waiting)
        yield DueTime(scheduled_for, at)


def _landing(
    trigger: Trigger, ground: Ground, on_closed: OnClosed, after: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The trigger's instants in (after, until] that land somewhere, and where."""
    assert ground.open_days is not None
    found, fruitless = trigger.fires_between(after, until, ground), 0
    while (instant := next(found, None)) is not None and fruitless < FRUITLESS:
        landed = _settle(instant, ground, on_closed)
        if landed is not None:
            fruitless = 0
            yield instant, landed
            continue
        fruitless += 1
        if opening_bounds(ground.open_days):  # at another time of day it may land
            continue
        opening = _opens_after(instant, ground, ground.open_days)
        if opening is None:
            return
        later = opening if on_closed is OnClosed.PREVIOUS_OPEN else opening - FURTHEST - 2 * _DAY
        if later > instant:
            found = trigger.fires_between(later - _JUST, until, ground)


def _floor(instant: datetime, ground: Ground, on_closed: OnClosed) -> datetime:
    """Nothing that is scheduled then or later moves to before this."""
    assert ground.open_days is not None
    return instant if on_closed is OnClosed.NEXT_OPEN else reach_of(ground.open_days).floor(instant)


def _start(instant: datetime, ground: Ground, on_closed: OnClosed) -> datetime:
    """Nothing that is scheduled before this moves to then or later."""
    assert ground.open_days is not None
    return instant if on_closed is OnClosed.PREVIOUS_OPEN else reach_of(ground.open_days).start(instant)


def _settle(instant: datetime, ground: Ground, on_closed: OnClosed) -> datetime | None:
    assert ground.open_days is not None
    return settle(instant, ground.zone, ground.open_days, on_closed)


_due_at = attrgetter("due_at")


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
