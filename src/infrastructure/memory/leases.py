"""Leases in memory, judged by one clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rota.application.ports.clock import Clock
from rota.application.ports.leases import Term


@dataclass(frozen=True, slots=True)
class _Held:
    """`until` None is a lease that was released."""

    holder: str
    epoch: int
    until: datetime | None


class InMemoryLeases:
    """`terms` keeps who held each epoch of each lease."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self.terms: dict[str, dict[int, str]] = {}

    async def hold(self, name: str, holder: str, length: timedelta) -> Term | None:
        now = self._clock.now()
        last = self._held.get(name)
        if last and last.holder != holder and last.until is not None and last.until >= now:
            return None
        goes_on = last is not None and last.holder == holder and last.until is not None
        epoch = (last.epoch if last else 0) + (0 if goes_on else 1)
        self._held[name] = _Held(holder, epoch, now + length)
        self.terms.setdefault(name, {})[epoch] = holder
        return Term(epoch, is_new=not goes_on)

    async def release(self, name: str, holder: str) -> None:
        last = self._held.get(name)
        if last and last.holder == holder:
            self._held[name] = _Held(holder, last.epoch, None)

    async def epoch(self, name: str) -> int:
        last = self._held.get(name)
        return last.epoch if last else 0

    def is_held(self, name: str) -> bool:
        last = self._held.get(name)
        return last is not None and last.until is not None and last.until > self._clock.now()

    def holder(self, name: str) -> str | None:
        """The latest one, whether it still holds or not."""
        last = self._held.get(name)
        return last.holder if last else None
