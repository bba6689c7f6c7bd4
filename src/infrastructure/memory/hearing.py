"""Since when heartbeats could be heard, in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

BROKEN_AFTER = timedelta(seconds=2)


class InMemoryHearing:
    """A gap of more than two seconds without any listener begins a new hearing."""

    def __init__(self) -> None:
        self._span: tuple[datetime, datetime] | None = None

    async def listened(self, now: datetime) -> None:
        since, until = self._span or (now, now)
        if now - until > BROKEN_AFTER:
            since = now
        self._span = (since, max(until, now))

    async def span(self) -> tuple[datetime, datetime] | None:
        return self._span
