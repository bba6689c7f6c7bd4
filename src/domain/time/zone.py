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

_REACH = timedelta(days=2)  # longer than any offset and any clock change, together
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
    for cell in range(_cell_of(after), _cell_of(until) + 1):
        before, offset = _offset_at(zone, cell), _offset_at(zone, cell + 1)
        if before != offset and after < (at := _turn_in(zone, cell)) <= until:
            yield Turn(at, before, offset)


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
    cell: int | None = _cell_of(low)
    if _steady_offset(zone, _cell_of(low)) is not None:
        cell = yield from _ordinary(walls, zone, low, high)
    while cell is not None:
        first, last = _unsteady_cells(zone, cell)
        begin, end = _begin(first), _begin(last + 1)

        def near(low: datetime, high: datetime, begin: datetime = begin, end: datetime = end) -> Iterable[datetime]:
            return walls(max(low, begin), min(high, end))

        for stretch in _stretches(zone, first - 1, last + 1):
            yield from _instants(stretch, near, change, after)
        cell = yield from _ordinary(walls, zone, end, high)


def _ordinary(walls: Walls, zone: ZoneInfo, low: datetime, high: datetime) -> Generator[datetime, None, int | None]:
    """What the rule means before it first names a time near a clock change, whose cell is returned."""
    end, offset = low, timedelta(0)
    for wall in walls(low, high):
        if wall >= end:
            cell = _cell_of(wall)
            steady = _steady_offset(zone, cell)
            if steady is None:
                return cell
            end, offset = _begin(cell + 1), steady
        yield (wall - offset).replace(tzinfo=UTC)
    return None


# Time in cells of three days: less than the shortest stretch, so that none holds more than one clock change,
# and one that begins and ends with the same offset holds none. More than any offset and any change, so that
# what is near a clock change is in its cell or in the one before or behind it, in UTC as in local time.

_CELL = 3


def _cell_of(at: datetime) -> int:
    return at.toordinal() // _CELL


def _begin(cell: int) -> datetime:
    """Naive: of local time, or of UTC."""
    return datetime.fromordinal(cell * _CELL)


@lru_cache(maxsize=16_384)
def _steady_offset(zone: ZoneInfo, cell: int) -> timedelta | None:
    """That of a cell without a clock change in it, in the one before or in the one behind; else None."""
    offset = _offset_at(zone, cell)
    is_steady = (
        offset == _offset_at(zone, cell + 1)
        and offset == _offset_at(zone, cell - 1)
        and offset == _offset_at(zone, cell + 2)
    )
    return offset if is_steady else None


def _unsteady_cells(zone: ZoneInfo, cell: int) -> tuple[int, int]:
    """The first and last of those without a steady offset that lie together, `cell` among them."""
    first = last = cell
    while _steady_offset(zone, first - 1) is None:
        first -= 1
    while _steady_offset(zone, last + 1) is None:
        last += 1
    return first, last


@lru_cache(maxsize=16_384)
def _offset_at(zone: ZoneInfo, cell: int) -> timedelta:
    """As a cell of UTC begins."""
    return _offset(_begin(cell).replace(tzinfo=UTC), zone)


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


def _stretches(zone: ZoneInfo, first: int, last: int) -> Iterator[_Stretch]:
    """The stretches from the first cell to the last; what lies beyond these is not looked at."""
    start, end = (_begin(each).replace(tzinfo=UTC) for each in (first, last + 1))
    before = offset = _offset_at(zone, first)
    for turn in turns(zone, start, end):
        yield _Stretch(start, turn.at, before, offset, turn.offset)
        start, before, offset = turn
    yield _Stretch(start, end, before, offset, offset)


@lru_cache(maxsize=4096)
def _turn_in(zone: ZoneInfo, cell: int) -> datetime:
    """The instant of the clock change in a cell of UTC; zoneinfo tells an offset but not when it changes."""
    low, high = (_begin(each).replace(tzinfo=UTC) for each in (cell, cell + 1))
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
