"""Time zones, and the one place where local times become instants.

A zone's time line is a row of stretches, each with one offset. Where a stretch begins with the clock
put forward, the local times between its reading before and its reading after are skipped: the gap.
Where it begins with the clock put back, the local times that it reads a second time are repeated: the
overlap. `ClockChange` says what becomes of both; `on_time_line` carries it out, for whoever has rules
in local time.

The time line runs from 1900 to the middle of 9998. In the IANA data no change since 1900 is longer than
a day (Samoa skipped 30 December 2011, Kwajalein 21 August 1993) and no stretch is shorter than 3.98 days.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from heapq import merge
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rota.domain.errors import InvalidError

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 7, 1, tzinfo=UTC)

YEARS = range(1970, 9998)
"""In which the instants and local times lie that somebody says."""

_REACH = timedelta(days=2)  # longer than any offset and any clock change, together
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
# What the zone folder of a machine holds beside the zones that IANA names.
_NOT_ZONES = frozenset({"localtime", "posixrules", "Factory", "posix", "right"})

Walls = Callable[[datetime, datetime], Iterable[datetime]]
"""A rule in local time: the naive times t with low <= t < high that it names, ascending; none if low >= high."""


class Gap(StrEnum):
    """What becomes of a local time that the clock skips."""

    NEXT_VALID = "NEXT_VALID"  # the first instant after the gap, however long the gap
    SHIFT = "SHIFT"  # later by the gap's length
    SKIP = "SKIP"


class Overlap(StrEnum):
    """Which of the two instants a repeated local time means."""

    FIRST = "FIRST"
    LAST = "LAST"
    BOTH = "BOTH"


@dataclass(frozen=True, slots=True)
class ClockChange:
    """How local times are placed where the clock is put forward or back."""

    gap: Gap = Gap.NEXT_VALID
    overlap: Overlap = Overlap.FIRST


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """The zone of that IANA name, one object per name; raises InvalidError."""
    unknown = InvalidError("unknown time zone; an IANA name such as Europe/Berlin is needed")
    if not _ZONE_NAME.fullmatch(name) or name.partition("/")[0] in _NOT_ZONES:
        raise unknown
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise unknown from error


class Turn(NamedTuple):
    """A clock change: its instant in UTC, and the offsets before it and from then on."""

    at: datetime
    before: timedelta
    offset: timedelta

    @property
    def was(self) -> datetime:
        """What the clock would have read then, naive."""
        return _wall(self.at, self.before)

    @property
    def reads(self) -> datetime:
        """What it does read then, naive: later than `was` after a gap, earlier where times are repeated."""
        return _wall(self.at, self.offset)


def turns(zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[Turn]:
    """The clock changes in (after, until], ascending."""
    for day in range(after.toordinal(), until.toordinal() + 1, _LOOK):
        before, offset = _offset_at(zone, day), _offset_at(zone, day + _LOOK)
        if before != offset and after < (at := _turn_behind(zone, day)) <= until:
            yield Turn(at, before, offset)


def place(wall: datetime, zone: ZoneInfo, change: ClockChange) -> tuple[datetime, ...]:
    """The instants, in UTC, that the naive `wall` means in `zone`: none, one or two."""

    def alone(low: datetime, high: datetime) -> Iterable[datetime]:
        return (wall,) if low <= wall < high else ()

    middle = wall.replace(tzinfo=UTC)
    return tuple(on_time_line(alone, zone, change, middle - _REACH, middle + _REACH))


def wall_at(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the zone's clock reads at the instant, naive."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def on_time_line(
    walls: Walls, zone: ZoneInfo, change: ClockChange, after: datetime, until: datetime
) -> Iterator[datetime]:
    """The instants in (after, until] that the rule `walls` means in `zone`, in UTC, strictly ascending.

    Local times that a clock change puts on one instant give it once. `walls` may be lazy, and may cover all of
    time: it is asked in order, and again only where there is a clock change. The zone is looked at only where
    the rule names a time, so that what comes once in a century costs no more than what comes each day.
    """
    latest, until = max(after, EARLIEST), min(until, LATEST)
    if latest >= until:
        return
    for instant in _meant(walls, zone, change, latest, until):
        if instant > until:
            return
        if instant > latest:
            yield instant
            latest = instant


def _meant(walls: Walls, zone: ZoneInfo, change: ClockChange, after: datetime, until: datetime) -> Iterator[datetime]:
    """What the rule means, ascending, all of it that lies in (after, until]."""
    low, high = _wall(after, _offset(after, zone)), _wall(until, _REACH)
    day = _unsteady_day(zone, low.toordinal(), change.gap)
    if day is None:
        day = yield from _ordinary(walls, zone, low, high)
    while day is not None:
        begin, end, stretches = _unsteady(zone, day)

        def near(low: datetime, high: datetime, begin: datetime = begin, end: datetime = end) -> Iterable[datetime]:
            return walls(max(low, begin), min(high, end))

        for stretch in stretches:
            if stretch.end > after:
                yield from _instants(stretch, near, change, after)
        day = yield from _ordinary(walls, zone, end, high)


def _ordinary(walls: Walls, zone: ZoneInfo, low: datetime, high: datetime) -> Generator[datetime, None, int | None]:
    """What the rule means before it first names a time near a clock change, whose day is returned."""
    end, offset = low, timedelta(0)
    for wall in walls(low, high):
        if wall >= end:
            day = wall.toordinal()
            steady = _steady_offset(zone, day)
            if steady is None:
                return day
            end, offset = datetime.fromordinal(day + 1), steady
        yield (wall - offset).replace(tzinfo=UTC)
    return None


# Days are numbered as `date.toordinal` does it. No stretch is as short as three days: between two looks with the
# same offset there is no clock change. No offset is as long as a day: what is read on a local day lies between the
# beginning of the day before and the end of the day behind, in UTC; and so does what a change does to that day.

_LOOK = 3


@lru_cache(maxsize=16_384)
def _steady_offset(zone: ZoneInfo, day: int) -> timedelta | None:
    """That of a local day which no clock change comes near; else None."""
    offset = _offset_at(zone, day - 1)
    return offset if offset == _offset_at(zone, day - 1 + _LOOK) else None


def _unsteady_day(zone: ZoneInfo, day: int, gap: Gap) -> int | None:
    """That local day if a clock change is near, or the day before, from which SHIFT may bring something; else None."""
    if _steady_offset(zone, day) is None:
        return day
    return day - 1 if gap is Gap.SHIFT and _steady_offset(zone, day - 1) is None else None


class _Unsteady(NamedTuple):
    """Local days near a clock change, and the stretches that they are read in."""

    begin: datetime
    end: datetime
    stretches: tuple[_Stretch, ...]


@lru_cache(maxsize=4096)
def _unsteady(zone: ZoneInfo, day: int) -> _Unsteady:
    """Those together with `day`, and the day behind them: a gap of a day shifts what it skips into that."""
    first = last = day
    while _steady_offset(zone, first - 1) is None:
        first -= 1
    while _steady_offset(zone, last) is None:
        last += 1
    begin, end = datetime.fromordinal(first), datetime.fromordinal(last + 1)
    low, high = begin.replace(tzinfo=UTC) - _DAY, end.replace(tzinfo=UTC) + _DAY
    return _Unsteady(begin, end, tuple(_stretches(zone, low, high)))


@lru_cache(maxsize=16_384)
def _offset_at(zone: ZoneInfo, day: int) -> timedelta:
    """As a day of UTC begins."""
    return _offset(datetime.fromordinal(day).replace(tzinfo=UTC), zone)


class _Stretch(NamedTuple):
    """[start, end) in UTC, its offset, and the offsets that border on it."""

    start: datetime
    end: datetime
    before: timedelta
    offset: timedelta
    following: timedelta


def _instants(stretch: _Stretch, walls: Walls, change: ClockChange, after: datetime) -> Iterator[datetime]:
    """What the rule means in this stretch, ascending, with nothing needed up to `after`."""
    read = _read(stretch, walls, change.overlap, after)
    gap = stretch.offset - stretch.before
    if gap <= timedelta(0) or stretch.start + gap <= after:
        return read
    return merge(_skipped(stretch, walls, change.gap), read)


def _read(stretch: _Stretch, walls: Walls, overlap: Overlap, after: datetime) -> Iterator[datetime]:
    """The local times that the clock reads in this stretch, less those that belong to a neighbour."""
    start, end, before, offset, following = stretch
    low, high = _wall(max(start, after), offset), _wall(end, offset)
    if overlap is Overlap.FIRST and before > offset:
        low = max(low, _wall(start, before))
    if overlap is Overlap.LAST and following < offset:
        high = _wall(end, following)
    return ((wall - offset).replace(tzinfo=UTC) for wall in walls(low, high))


def _skipped(stretch: _Stretch, walls: Walls, gap: Gap) -> Iterator[datetime]:
    """Where the local times go that the clock skips as this stretch begins."""
    start, _, before, offset, _ = stretch
    if gap is Gap.SKIP:
        return
    for wall in walls(_wall(start, before), _wall(start, offset)):
        if gap is Gap.NEXT_VALID:
            yield start
            return
        yield (wall - before).replace(tzinfo=UTC)


def _stretches(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[_Stretch]:
    """The stretches from `start` to `end`; what lies beyond these is not looked at."""
    before = offset = _offset(start, zone)
    for turn in turns(zone, start, end):
        yield _Stretch(start, turn.at, before, offset, turn.offset)
        start, before, offset = turn
    yield _Stretch(start, end, before, offset, offset)


@lru_cache(maxsize=4096)
def _turn_behind(zone: ZoneInfo, day: int) -> datetime:
    """The clock change between two looks; zoneinfo tells an offset but not when it changes."""
    low, high = (datetime.fromordinal(each).replace(tzinfo=UTC) for each in (day, day + _LOOK))
    return _first_with(_offset(high, zone), low, high, zone)


def _first_with(offset: timedelta, low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The first instant in (low, high] with that offset, to the second, as `high` has it and `low` not."""
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        low, high = (low, middle) if _offset(middle, zone) == offset else (middle, high)
    return high


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _wall(at: datetime, offset: timedelta) -> datetime:
    return (at + offset).replace(tzinfo=None)
