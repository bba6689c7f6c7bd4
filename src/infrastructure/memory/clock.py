"""Time and ids that a test sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from rota.application.ports.clock import Clock

DAWN = datetime(2026, 1, 1, tzinfo=UTC)


class SettableClock:
    """Stands still until it is moved, and never goes back."""

    def __init__(self, start: datetime = DAWN) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def set(self, instant: datetime) -> None:
        """Raises ValueError for an instant that lies behind it."""
        if instant < self._now:
            raise ValueError(f"the clock stands at {self._now} and cannot go back to {instant}")
        self._now = instant

    def advance(self, by: timedelta) -> datetime:
        """Moves it on, and answers where it stands then."""
        self.set(self._now + by)
        return self._now


class CountingIds:
    """UUIDv7 without chance: the clock's milliseconds, then a counter, so the same calls give the same ids."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SettableClock()
        self._count = 0

    def __call__(self) -> UUID:
        self._count += 1
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | self._count)
