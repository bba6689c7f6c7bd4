"""Which carriers of deliveries are still there: what was under way with one that is gone is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rota.application.command import Message
from rota.application.dispatch import Sender
from rota.application.ports.clock import Clock
from rota.application.ports.store import Begin

BATCH = 500
GAP = timedelta(seconds=3)
"""Looks that lie further apart than this are not one unbroken watch."""
WATCH = timedelta(seconds=2)
"""So long the store must have been there before anybody is judged: a carrier needs it to renew its lease."""


@dataclass(frozen=True, slots=True)
class JudgeCarriers(Message[None]):
    """One look at all carriers; to be repeated each second."""


@dataclass(slots=True)
class JudgeCarriersHandler:
    """A lease that ran out counts only while it could be renewed: a store that was away costs no attempt."""

    begin: Begin
    clock: Clock
    sender: Sender
    _since: datetime | None = field(default=None, init=False)
    _until: datetime | None = field(default=None, init=False)

    async def __call__(self, command: JudgeCarriers) -> None:
        async with self.begin() as work:
            lost = await work.runs.abandoned(BATCH)
            now = self.clock.now()
            if self._watched_for(now) < WATCH or not lost:
                return
            for run in lost:
                run.lose(now, "its carrier is gone")
            await work.commit()
        self.sender.send(run for run in lost if run.is_queued)

    def _watched_for(self, now: datetime) -> timedelta:
        """How long the looks have come one after the other, this one included."""
        if self._since is None or self._until is None or now - self._until > GAP:
            self._since = now
        self._until = now
        return now - self._since
