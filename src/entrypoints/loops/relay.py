"""The relay's loop: publishes as long as there is something, else waits for more."""

from __future__ import annotations

import asyncio

from rota.application.command import MessageBus
from rota.application.relay_events import RelayEvents, RelayEventsHandler
from rota.entrypoints.loops.pace import forever

PAUSE = 0.05


class RelayLoop:
    """A pause of 50 ms between looks at an empty log: that late a listener may hear of a fact."""

    def __init__(self, bus: MessageBus, handler: RelayEventsHandler) -> None:
        self._bus = bus
        self._handler = handler

    async def lead(self, epoch: int) -> None:
        self._handler.forget()
        await forever("relay", self._step)

    async def _step(self) -> None:
        if not await self._bus.handle(RelayEvents()):
            await asyncio.sleep(PAUSE)
