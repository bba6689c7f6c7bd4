"""What a new leader does first: its predecessor may have died between storing a run and sending it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from rota.application.command import Message
from rota.application.dispatch import Sender
from rota.application.ports.bus import WorkLanes
from rota.application.ports.clock import Clock
from rota.application.ports.keys import RunKey
from rota.application.ports.queued_runs import QueuedRuns

INSIDE_DEDUP_WINDOW = timedelta(seconds=110)
PAGE = 1_000
LOOK_EVERY = 0.05
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class SendAgain(Message[int]):
    """Sends what was queued of late, under the old message ids: what the bus has, it refuses as a duplicate."""


@dataclass(frozen=True, slots=True)
class SendAgainHandler:
    lanes: WorkLanes
    queued: QueuedRuns
    clock: Clock
    sender: Sender

    async def __call__(self, command: SendAgain) -> int:
        since = self.clock.now() - INSIDE_DEDUP_WINDOW
        await self._intake_catches_up()
        sent = 0
        after: RunKey | None = None
        while runs := await self.queued.page(since, after, PAGE):
            self.sender.send(runs)
            await self.sender.drained()
            sent += len(runs)
            after = (runs[-1].tenant_id, runs[-1].id)
        return sent

    async def _intake_catches_up(self) -> None:
        """What has started by now must not be sent again: a restarted bus no longer knows its message id."""
        then = await self.lanes.intake()
        for _ in range(int(PATIENCE / LOOK_EVERY)):
            look = await self.lanes.intake()
            if look.created != then.created or look.floor >= then.last_seq:
                return
            await asyncio.sleep(LOOK_EVERY)
