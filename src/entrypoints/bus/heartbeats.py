"""Heartbeats are taken in batches: one transaction for all that came within a few milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rota.application.command import MessageBus
from rota.application.ports.bus import Control
from rota.application.take_heartbeats import Heartbeat, TakeHeartbeats

GATHER = 0.02
MOST = 500


class HeartbeatBatcher:
    """`take` answers once the batch that its heartbeat went into is stored."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._waiting: list[tuple[Heartbeat, asyncio.Future[Sequence[Control]]]] = []
        self._wanted = asyncio.Event()

    async def take(self, beat: Heartbeat) -> Sequence[Control]:
        answer: asyncio.Future[Sequence[Control]] = asyncio.get_running_loop().create_future()
        self._waiting.append((beat, answer))
        self._wanted.set()
        return await answer

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            await asyncio.sleep(GATHER)
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            if not self._waiting:
                self._wanted.clear()
            await self._take(batch)

    async def _take(self, batch: list[tuple[Heartbeat, asyncio.Future[Sequence[Control]]]]) -> None:
        try:
            answers = await self._bus.handle(TakeHeartbeats([beat for beat, _ in batch]))
        except Exception as error:  # handed on to everyone who waits for an answer
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), orders in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(orders)
