"""Instants, lengths of time and lists, as the details of an explanation say them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from rota.domain.time.zone import wall_at

_MILLISECOND = timedelta(milliseconds=1)
_MOST_SAID = 6


def local(at: datetime, zone: ZoneInfo) -> str:
    """`2026-03-29 03:00:00 in Europe/Berlin`."""
    return f"{reading(wall_at(at, zone))} in {zone.key}"


def reading(wall: datetime) -> str:
    """What a clock reads; fractions of a second only where there are some."""
    return wall.isoformat(" ", "microseconds" if wall.microsecond else "seconds")


def time_of(wall: datetime) -> str:
    return reading(wall).partition(" ")[2]


def instant(at: datetime) -> str:
    """`2026-03-29T01:00:00Z`."""
    plain = at.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat("T", "microseconds" if plain.microsecond else "seconds") + "Z"


def length(of: timedelta) -> str:
    """`12 ms`, `3.5 s`, `1 h 30 min`, `2 d 3 h`: the two greatest units."""
    if of < timedelta(0):
        return f"-{length(-of)}"
    if of < timedelta(seconds=1):
        return f"{of / _MILLISECOND:g} ms"
    if of < timedelta(minutes=1):
        return f"{of.total_seconds():g} s"
    seconds = round(of.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    said = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(said[:2])


def few(items: Iterable[object]) -> str:
    """The first of them, and that there are more."""
    said = [str(each) for each in items]
    return ", ".join(said[:_MOST_SAID]) + (", …" if len(said) > _MOST_SAID else "")
