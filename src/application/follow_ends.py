"""What waited for the end of a run goes on: runs behind a gate, and schedules that count a delay from it."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.store import Begin

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class FollowEnds(Message[int]):
    """Answers how many runs and schedules go on."""


@dataclass(frozen=True, slots=True)
class FollowEndsHandler:
    """Looks at what waits, not at what ended: so nothing is missed when the word of an end was."""

    begin: Begin

    async def __call__(self, command: FollowEnds) -> int:
        async with self.begin() as work:
            opened = await work.waiting.open_gates()
            rested = await work.schedules.rested(BATCH)
            for schedule, ended_at in rested:
                schedule.run_ended(ended_at)
            await work.commit()
        return opened + len(rested)
