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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from heapq import merge
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rota.domain.errors import InvalidError

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 7, 1, tzinfo=UTC)

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


def place(wall: datetime, zone: ZoneInfo, change: ClockChange) -> tuple[datetime, ...]:
    """The instants, in UTC, that the naive `wall` means in `zone`: none, one or two."""

    def alone(low: datetime, high: datetime) -> Iterable[datetime]:
        return (wall,) if low <= wall < high else ()

    middle = wall.replace(tzinfo=UTC)
    return tuple(on_time_line(alone, zone, change, middle - _REACH, middle + _REACH))


def on_time_line(
    walls: Walls, zone: ZoneInfo, change: ClockChange, after: datetime, until: datetime
) -> Iterator[datetime]:
    """The instants in (after, until] that the rule `walls` means in `zone`, in UTC, strictly ascending.

    Local times that a clock change puts on one instant give it once. `walls` is asked a stretch at a
    time, in order, and only for what can matter: it may be lazy, and may cover all of time.
    """
    latest, until = max(after, EARLIEST), min(until, LATEST)
    if latest >= until:
        return
    for stretch in _stretches(zone, latest - _REACH, until + _REACH):
        for instant in _instants(stretch, walls, change, latest):
            if instant > until:
                return
            if instant > latest:
                yield instant
                latest = instant


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


def _stretches(zone: ZoneInfo, low: datetime, high: datetime) -> Iterator[_Stretch]:
    """The stretches from `low` to `high`; what lies beyond these two is not looked at.

    One that goes on into another year is cut, so that no year is looked at before it is needed; never
    within reach of a clock change, whose neighbours must be seen together with it.
    """
    start, before = low, _offset(low, zone)
    offset = before
    for year in range(low.year, high.year + 1):
        for at, following in _changes(zone, year):
            if low < at < high:
                yield _Stretch(start, at, before, offset, following)
                start, before, offset = at, offset, following
        cut = datetime(year + 1, 1, 1, tzinfo=UTC) - _REACH
        if start + _REACH <= cut < high:
            yield _Stretch(start, cut, before, offset, offset)
            start, before = cut, offset
    yield _Stretch(start, high, before, offset, offset)


@lru_cache(maxsize=16_384)
def _changes(zone: ZoneInfo, year: int) -> tuple[tuple[datetime, timedelta], ...]:
    """The clock changes later than a year's first instant (UTC), up to the next year's: when, and the offset from then.

    zoneinfo tells an offset but not when it changes, so every third day is looked at.
    """
    first, last = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    looks = [(at, _offset(at, zone)) for at in (*(first + days * _DAY for days in range(0, 365, 3)), last)]
    return tuple(
        (_first_with(after, low, high, zone), after)
        for (low, before), (high, after) in pairwise(looks)
        if before != after
    )


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
