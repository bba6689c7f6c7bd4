"""Whether an instant lies near a change of the clock, and which local times that change skips or repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_REACH = timedelta(hours=26)  # the longest change is one of a day, and the next one is never nearer than 3.98 days
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """At `at` the clock goes from `at + before` to `at + after`; both are offsets from UTC."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def length(self) -> timedelta:
        """Of what is skipped, or repeated."""
        return abs(self.after - self.before)

    @property
    def skips(self) -> bool:
        return self.after > self.before

    @property
    def first(self) -> datetime:
        """The first local time that is skipped or repeated; naive."""
        return (self.at + min(self.before, self.after)).replace(tzinfo=None)

    @property
    def end(self) -> datetime:
        """The first local time that no longer is; naive."""
        return (self.at + max(self.before, self.after)).replace(tzinfo=None)

    def shifted(self, wall: datetime) -> datetime:
        """Where a skipped local time goes that is made later by the length of the gap: the instant."""
        return (wall - self.before).replace(tzinfo=UTC)


def change_near(at: datetime, zone: ZoneInfo) -> Change | None:
    """The change that `at` is at or behind, no further than it skips or repeats, or that repeats its local time."""
    behind = _between(at - _REACH, at, zone)
    if behind is not None and at < behind.at + behind.length:
        return behind
    ahead = _between(at, at + _REACH, zone)
    if ahead is not None and not ahead.skips and at >= ahead.at - ahead.length:
        return ahead
    return None


def _between(low: datetime, high: datetime, zone: ZoneInfo) -> Change | None:
    """The change in (low, high]; instants to the second."""
    before, after = _offset(low, zone), _offset(high, zone)
    if before == after:
        return None
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        low, high = (low, middle) if _offset(middle, zone) == after else (middle, high)
    return Change(high.replace(microsecond=0), before, after)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)
