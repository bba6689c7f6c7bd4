"""An oracle of what is due around clock changes: it reads the clock of a zone once a minute.

It knows no offsets, stretches or policies of the code under test: it writes down what the clock reads at each instant,
and asks for each local time at which instants it was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise, product
from zoneinfo import ZoneInfo, available_timezones

from rota.domain.errors import InvalidError
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)

FIXED = ClockChange(Gap.NEXT_VALID, Overlap.FIRST)
EVERY_READING = ClockChange(Gap.SKIP, Overlap.BOTH)
POLICIES = [ClockChange(gap, overlap) for gap, overlap in product(Gap, Overlap)]

ODD_ZONES = (
    "Europe/Berlin",
    "Europe/Dublin",  # its winter is the daylight saving time
    "Africa/Casablanca",
    "America/Havana",  # skips midnight
    "America/Santiago",
    "America/St_Johns",  # changed its clock at 00:01
    "Antarctica/Troll",  # by two hours
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
)


class Clock:
    """What the clock in `zone` read from `low` to `high`, a reading each `step`."""

    def __init__(self, zone: ZoneInfo, low: datetime, high: datetime, step: timedelta = MINUTE) -> None:
        count = (high - low) // step
        self.zone, self.step = zone, step
        self.instants = [low + n * step for n in range(count)]
        self.readings = [at.astimezone(zone).replace(tzinfo=None) for at in self.instants]
        self.when_read: dict[datetime, list[datetime]] = defaultdict(list)
        for at, reading in zip(self.instants, self.readings, strict=True):
            self.when_read[reading].append(at)
        self.jumps = [n for n, (one, other) in enumerate(pairwise(self.readings)) if other - one > step]

    def local_times(self) -> Iterator[datetime]:
        """All local times that could be named, read or not."""
        first = min(self.readings)
        return (first + n * self.step for n in range((max(self.readings) - first) // self.step))

    def meaning(self, wall: datetime, change: ClockChange) -> list[datetime]:
        """The instants that `wall` means under a policy, from what was read."""
        read = self.when_read.get(wall, [])
        if not read:
            return self._meaning_of_unread(wall, change.gap)
        return {Overlap.FIRST: read[:1], Overlap.LAST: read[-1:], Overlap.BOTH: read}[change.overlap]

    def _meaning_of_unread(self, wall: datetime, gap: Gap) -> list[datetime]:
        last = next(n for n in self.jumps if self.readings[n] < wall < self.readings[n + 1])
        shifted = self.instants[last] + (wall - self.readings[last])
        return {Gap.NEXT_VALID: [self.instants[last + 1]], Gap.SHIFT: [shifted], Gap.SKIP: []}[gap]

    def due(self, matches: Callable[[datetime], bool], change: ClockChange) -> list[datetime]:
        """All due times of a rule, ascending and once each."""
        named = filter(matches, self.local_times())
        return sorted(set(chain.from_iterable(self.meaning(wall, change) for wall in named)))


@dataclass(frozen=True)
class Rule:
    """An expression for every day, and what it means, written down apart from the parser."""

    text: str
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]

    def matches(self, wall: datetime) -> bool:
        return wall.hour in self.hours and wall.minute in self.minutes and wall.second in self.seconds

    @property
    def default_change(self) -> ClockChange:
        minute, hour = self.text.split()[-5:-3]
        return EVERY_READING if minute[0] == "*" or hour[0] == "*" else FIXED


def is_zone(name: str) -> bool:
    try:
        load_zone(name)
    except InvalidError:
        return False
    return True


ZONES = sorted(filter(is_zone, available_timezones()))


def clock_changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """The minutes of that year before which the clock of the zone had another offset."""
    looks = [datetime(year, 1, 1, tzinfo=UTC) + n * 24 * HOUR for n in range(366)] + [
        datetime(year + 1, 1, 1, tzinfo=UTC)
    ]
    offsets = [offset(at, zone) for at in looks]
    return [
        next(at for at in (looks[n] + m * MINUTE for m in range(1, 1441)) if offset(at, zone) == later)
        for n, (earlier, later) in enumerate(pairwise(offsets))
        if earlier != later
    ]


def offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


@dataclass(frozen=True)
class Turn:
    """A clock change: the instant, and what the clock would have read then, and reads."""

    zone: ZoneInfo
    at: datetime
    was: datetime
    reads: datetime

    @classmethod
    def seen(cls, zone: ZoneInfo, at: datetime) -> Turn:
        before, reads = ((at - each).astimezone(zone).replace(tzinfo=None) for each in (MINUTE, 0 * MINUTE))
        return cls(zone, at, before + MINUTE, reads)

    @property
    def is_gap(self) -> bool:
        return self.reads > self.was
