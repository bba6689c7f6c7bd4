"""Whether an instant lies at a change of the clock, and which local times that change skips or repeats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from rota.domain.explaining.words import local, time_of
from rota.domain.time.zone import Turn, turns

_REACH = timedelta(hours=26)  # the longest change is one of a day


def turn_at(at: datetime, zone: ZoneInfo) -> Turn | None:
    """The change that `at` is at or behind, no further than it skips or repeats, or that repeats its local time."""
    for turn in turns(zone, at - _REACH, at + _REACH):
        end = turn.at + length_of(turn)
        begin = turn.at if skips(turn) else turn.at - length_of(turn)
        if begin <= at < end:
            return turn
    return None


def skips(turn: Turn) -> bool:
    return turn.offset > turn.before


def length_of(turn: Turn) -> timedelta:
    """Of what is skipped, or repeated."""
    return abs(turn.offset - turn.before)


def as_before(at: datetime, turn: Turn) -> datetime:
    """What the clock would read at `at` had it not been changed; naive."""
    return at.astimezone(UTC).replace(tzinfo=None) + turn.before


def not_there(walls: str, turn: Turn, zone: ZoneInfo) -> str:
    return (
        f"{walls} does not exist in {zone.key}: there the clock goes from {time_of(turn.was)} to {time_of(turn.reads)}"
    )


def read_twice(at: datetime, turn: Turn, zone: ZoneInfo) -> str:
    which = "first" if at < turn.at else "second"
    return f"{local(at, zone)} is read twice, and this is the {which} of the two"
