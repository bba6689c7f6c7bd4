"""Triggers: when a schedule is due. Each is a function from an instant to the next one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import ClassVar, Protocol
from zoneinfo import ZoneInfo

from rota.domain.calendars.business_days import BusinessDay
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import InvalidError
from rota.domain.json_pointer import POINTER
from rota.domain.time.cron import parse_cron
from rota.domain.time.rrule import default_start
from rota.domain.time.rrule_text import parse_rrule
from rota.domain.time.zone import LATEST, YEARS, ClockChange, place

_LONGEST_DELAY = timedelta(days=366)
_WORD = r"[^\s.*>\x00-\x20\x7f]+"
_SUBJECT = re.compile(rf"(?:{_WORD}|\*)(?:\.(?:{_WORD}|\*))*(?:\.>)?")


@dataclass(frozen=True, slots=True)
class Ground:
    """What a trigger stands on: its schedule's zone, `start_at`, creation and calendar. Instants are aware, UTC."""

    zone: ZoneInfo
    created_at: datetime
    start_at: datetime | None = None
    open_days: OpenDays | None = None

    @property
    def anchor(self) -> datetime:
        """Where a rate begins that says nothing of it."""
        return self.start_at or self.created_at


class Trigger(Protocol):
    """A rule for due times. Instants are aware, UTC."""

    kind: ClassVar[str]

    def __hash__(self) -> int: ...

    def next_fire(self, after: datetime, ground: Ground) -> datetime | None:
        """The first due time strictly later than `after`; None if there is no further one."""
        ...

    def fires_between(self, after: datetime, until: datetime, ground: Ground) -> Iterator[datetime]:
        """The due times in (after, until], strictly ascending, made as they are asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in the schedule's zone; `dst` None is Debian's rule for clock changes."""

    kind: ClassVar[str] = "CRON"
    cron: str
    dst: ClockChange | None = None

    def __post_init__(self) -> None:
        parse_cron(self.cron)

    def next_fire(self, after: datetime, ground: Ground) -> datetime | None:
        """None when nothing comes within `cron.HORIZON`, a hundred years.

        Remembered for all that share expression, zone and second: due times are whole seconds.
        """
        return _next_cron_fire(self, after.replace(microsecond=0), ground.zone)

    def fires_between(self, after: datetime, until: datetime, ground: Ground) -> Iterator[datetime]:
        return parse_cron(self.cron).between(after, until, ground.zone, self.dst)


@lru_cache(maxsize=16_384)
def _next_cron_fire(trigger: Cron, after: datetime, zone: ZoneInfo) -> datetime | None:
    return parse_cron(trigger.cron).next_fire(after, zone, trigger.dst)


@dataclass(frozen=True, slots=True)
class Rrule:
    """A recurrence rule of RFC 5545 in the schedule's zone; `dst` None is that document's rule for clock changes.

    A naive `start_at` is local time; without one the rule begins at 00:00 local of the day of creation.
    """

    kind: ClassVar[str] = "RRULE"
    rrule: str
    start_at: datetime | None = None
    dst: ClockChange | None = None

    def __post_init__(self) -> None:
        parse_rrule(self.rrule)
        if self.start_at is not None:
            _check_year(self.start_at, "startAt")

    def next_fire(self, after: datetime, ground: Ground) -> datetime | None:
        """None when nothing comes within `rrule.HORIZON`. Remembered as those of cron are."""
        return _next_rrule_fire(self, after.replace(microsecond=0), self._start(ground), ground.zone)

    def fires_between(self, after: datetime, until: datetime, ground: Ground) -> Iterator[datetime]:
        return parse_rrule(self.rrule).between(after, until, self._start(ground), ground.zone, self.dst)

    def check_can_fire(self, ground: Ground) -> None:
        """Raises InvalidError on `rrule`."""
        parse_rrule(self.rrule).check_can_fire(self._start(ground), ground.zone, self.dst)

    def _start(self, ground: Ground) -> datetime:
        return self.start_at or default_start(ground.created_at, ground.zone)


@lru_cache(maxsize=16_384)
def _next_rrule_fire(trigger: Rrule, after: datetime, start: datetime, zone: ZoneInfo) -> datetime | None:
    return parse_rrule(trigger.rrule).next_fire(after, start, zone, trigger.dst)


@dataclass(frozen=True, slots=True)
class OnBusinessDay:
    """On the nth open day of each week, month, quarter or year of the schedule's calendar."""

    kind: ClassVar[str] = "BUSINESS_DAY"
    rule: BusinessDay

    def next_fire(self, after: datetime, ground: Ground) -> datetime | None:
        """None when nothing comes within ten years, or the schedule has no calendar."""
        return None if ground.open_days is None else self.rule.next_fire(after, ground.zone, ground.open_days)

    def fires_between(self, after: datetime, until: datetime, ground: Ground) -> Iterator[datetime]:
        if ground.open_days is None:
            return iter(())
        return self.rule.fires_between(after, until, ground.zone, ground.open_days)

    def check_can_fire(self, ground: Ground, now: datetime) -> None:
        """Raises InvalidError on `day`."""
        if self.next_fire(now, ground) is None:
            raise InvalidError("can never fire: no period of the next ten years has so many open days", "day")


@dataclass(frozen=True, slots=True)
class OneShot:
    """Once. A naive `start_at` is local time in the schedule's zone: after a gap, the first of an overlap."""

    kind: ClassVar[str] = "ONE_SHOT"
    start_at: datetime

    def __post_init__(self) -> None:
        _check_year(self.start_at, "startAt")

    def next_fire(self, after: datetime, ground: Ground) -> datetime | None:
        due = self._due(ground.zone)
        return due if due > after else None

    def fires_between(self, after: datetime, until: datetime, ground: Ground) -> Iterator[datetime]:
        due = self._due(ground.zone)
        return iter((due,) if after < due <= until else ())

    def _due(self, zone: ZoneInfo) -> datetime:
        if _is_aware(self.start_at):
            return self.start_at.astimezone(UTC)
        return place(self.start_at, zone, ClockChange())[0]


@dataclass(frozen=True, slots=True)
class FixedRate:
    """anchor + n * every, n = 0, 1, 2 …, to the microsecond and without drift."""

    kind: ClassVar[str] = "FIXED_RATE"
    every: timedelta
    anchor_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.every < timedelta(seconds=1):
            raise InvalidError("must be at least 1 second", "everySec")
        if self.anchor_at is not None:
            if not _is_aware(self.anchor_at):
                raise InvalidError("must have an offset", "anchorAt")
            _check_year(self.anchor_at, "anchorAt")

    def next_fire(self, after: datetime, ground: Ground) -> datetime | None:
        start = (self.anchor_at or ground.anchor).astimezone(UTC)
        if after < start:
            return start
        try:
            due = start + ((after - start) // self.every + 1) * self.every
        except OverflowError:
            return None
        return due if due <= LATEST else None

    def fires_between(self, after: datetime, until: datetime, ground: Ground) -> Iterator[datetime]:
        due = self.next_fire(after, ground)
        while due is not None and due <= until:
            yield due
            due = self.next_fire(due, ground)


@dataclass(frozen=True, slots=True)
class FixedDelay:
    """That long after the last run of the schedule ended. The first is at the anchor; the later ones come from the
    runs, so the trigger by itself knows no more than the first.
    """

    kind: ClassVar[str] = "FIXED_DELAY"
    delay: timedelta

    def __post_init__(self) -> None:
        if not timedelta(0) < self.delay <= _LONGEST_DELAY:
            raise InvalidError("must be more than 0 and at most 366 days", "delaySec")

    def next_fire(self, after: datetime, ground: Ground) -> datetime | None:
        return ground.anchor if after < ground.anchor else None

    def fires_between(self, after: datetime, until: datetime, ground: Ground) -> Iterator[datetime]:
        return iter((ground.anchor,) if after < ground.anchor <= until else ())


@dataclass(frozen=True, slots=True)
class OnEvent:
    """When a message arrives on that subject of the bus: no clock tells it. `filter` maps JSON Pointers into the
    message to the values, as JSON texts, that must stand there.
    """

    kind: ClassVar[str] = "EVENT"
    subject: str
    filter: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(self.subject) > 500 or not _SUBJECT.fullmatch(self.subject):
            raise InvalidError("must be a bus subject: words joined by dots, * for a word, > for the rest", "subject")
        for pointer, _ in self.filter:
            if not POINTER.fullmatch(pointer):
                raise InvalidError("must have JSON Pointers such as /kind as its names", "filter")

    def next_fire(self, after: datetime, ground: Ground) -> datetime | None:
        return None

    def fires_between(self, after: datetime, until: datetime, ground: Ground) -> Iterator[datetime]:
        return iter(())


def check_can_fire(trigger: Trigger, ground: Ground, now: datetime) -> None:
    """Raises InvalidError for a rule that has no due time from now on, where only its schedule can tell.

    Rules with an end may be over, which is no fault.
    """
    match trigger:
        case Rrule():
            trigger.check_can_fire(ground)
        case OnBusinessDay():
            trigger.check_can_fire(ground, now)


def _is_aware(moment: datetime) -> bool:
    return moment.utcoffset() is not None


def _check_year(moment: datetime, field: str) -> None:
    if moment.year not in YEARS:
        raise InvalidError(f"must lie in the years {YEARS[0]} to {YEARS[-1]}", field)
