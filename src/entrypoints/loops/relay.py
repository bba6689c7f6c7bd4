"""The relay's loop: publishes as long as there is something, else waits for more."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from rota.application.command import MessageBus
from rota.application.relay_events import Relayed, RelayEvents, RelayEventsHandler
from rota.entrypoints.loops.pace import forever

PAUSE = 0.05
GIVE_WAY = 6.0
PATIENCE = timedelta(seconds=5)


class RelayLoop:
    """Listeners hear of a fact some 50 ms after it. In a burst work goes first: while events are younger than
    five seconds, the relay of a backlog rests six times as long as it works; older ones it tells at full speed.
    """

    def __init__(self, bus: MessageBus, handler: RelayEventsHandler) -> None:
        self._bus = bus
        self._handler = handler

    async def lead(self, epoch: int) -> None:
        self._handler.forget()
        await forever("relay", self._step)

    async def _step(self) -> None:
        began = time.monotonic()
        relayed = await self._bus.handle(RelayEvents())
        await asyncio.sleep(_rest(relayed, time.monotonic() - began))


def _rest(relayed: Relayed, worked: float) -> float:
    if relayed.is_refused or not relayed.is_backlog:
        return PAUSE
    return GIVE_WAY * worked if relayed.age < PATIENCE else 0.0
