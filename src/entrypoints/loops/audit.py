"""The auditor: one batch of schedules after the other, at a small and bounded cost."""

from __future__ import annotations

import asyncio
import time

from rota.application.audit_once import AuditOnce
from rota.application.command import MessageBus
from rota.entrypoints.loops.pace import forever

SHARE = 0.02
"""Of the time, at most; what a batch waits for the database counts too, so of a core it is less."""

SHORTEST_REST, LONGEST_REST = 0.5, 60.0
BETWEEN_ROUNDS = 10.0
STEP_TIMEOUT = 10.0


class AuditLoop:
    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus

    async def run(self) -> None:
        await forever("audit", self._step)

    async def _step(self) -> None:
        began = time.monotonic()
        async with asyncio.timeout(STEP_TIMEOUT):
            looked_at = await self._bus.handle(AuditOnce())
        await asyncio.sleep(rest_after(time.monotonic() - began, is_over=not looked_at))


def rest_after(cost: float, *, is_over: bool) -> float:
    """In seconds, as the cost of the batch; `is_over` says that it ended a round."""
    rest = min(max(cost * (1 / SHARE - 1), SHORTEST_REST), LONGEST_REST)
    return max(rest, BETWEEN_ROUNDS) if is_over else rest
