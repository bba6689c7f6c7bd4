"""A lane may vanish while nothing waits in it: its workers would be refused, and nobody would look for it."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from rota.application.command import Message
from rota.application.ports.bus import WorkLanes
from rota.application.ports.store import Begin

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RestoreLanes(Message[int]):
    """One look at all lanes that workers fetch from; answers how many were made anew."""


@dataclass(frozen=True, slots=True)
class RestoreLanesHandler:
    """What was in a lane when it vanished is found out by `KeepLanes`."""

    begin: Begin
    lanes: WorkLanes

    async def __call__(self, command: RestoreLanes) -> int:
        async with self.begin() as work:
            attended = await work.workers.attended()
        restored = await self.lanes.restore(attended)
        for lane in restored:
            log.warning("lane_restored", tenant=lane.tenant_id, job_id=str(lane.job_id))
        return len(restored)
