"""How full the lanes are: so that a process lets runs go at once only where there is room."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.dispatch import LaneCredit
from rota.application.ports.store import Begin


@dataclass(frozen=True, slots=True)
class LookAtLanes(Message[None]):
    """One look; nothing is asked while this process has let nothing go."""


@dataclass(frozen=True, slots=True)
class LookAtLanesHandler:
    begin: Begin
    credit: LaneCredit

    async def __call__(self, command: LookAtLanes) -> None:
        lanes = self.credit.in_use
        if not lanes:
            return
        async with self.begin() as work:
            waiting = [lane.key for lane in await work.waiting.lanes(1)]
            self.credit.look(await work.waiting.queued(lanes), waiting)
