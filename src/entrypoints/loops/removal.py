"""The removal of what is old: in the pauses of the leader's tick, and now and then where it has none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rota.application.command import MessageBus
from rota.application.remove_old import RemoveOld
from rota.entrypoints.loops.pace import every

PAUSE = 0.1
PATIENCE = 1.0
"""A tick that never rests is disturbed this seldom: else nothing would ever go from a service that is always busy."""
STEP_TIMEOUT = 5.0


class RemovalLoop:
    """One small batch at a time. `is_idle` says whether the tick has nothing to do for a while."""

    def __init__(self, bus: MessageBus, is_idle: Callable[[], bool]) -> None:
        self._bus = bus
        self._is_idle = is_idle
        self._tried_at = time.monotonic()

    async def run(self) -> None:
        await every(PAUSE, "removal", self.step)

    async def step(self) -> int:
        """Answers how much was removed."""
        now = time.monotonic()
        if not self._is_idle() and now - self._tried_at < PATIENCE:
            return 0
        self._tried_at = now
        async with asyncio.timeout(STEP_TIMEOUT):
            return await self._bus.handle(RemoveOld())
