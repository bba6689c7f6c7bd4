"""Heartbeats are taken in batches: one transaction for all that came within a few milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rota.application.command import MessageBus
from rota.application.ports.bus import Control
from rota.application.take_heartbeats import Heartbeat, TakeHeartbeats
from rota.domain.errors import UnavailableError

GATHER = 0.02
MOST = 500

_Waiting = tuple[Heartbeat, asyncio.Future[Sequence[Control]]]


class HeartbeatBatcher:
    """`take` answers once the batch that its heartbeat went into is stored. Nobody waits on when `run` has ended."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._waiting: list[_Waiting] = []
        self._wanted = asyncio.Event()
        self._over = False

    async def take(self, beat: Heartbeat) -> Sequence[Control]:
        """Raises UnavailableError if it was not stored: the worker then tries again, perhaps elsewhere."""
        if self._over:
            raise UnavailableError("this process is ending")
        answer: asyncio.Future[Sequence[Control]] = asyncio.get_running_loop().create_future()
        self._waiting.append((beat, answer))
        self._wanted.set()
        return await answer

    async def run(self) -> None:
        try:
            while True:
                await self._wanted.wait()
                await asyncio.sleep(GATHER)
                await self._take_some()
        finally:
            self._over = True
            _refuse(self._waiting, UnavailableError("this process is ending"))

    async def _take_some(self) -> None:
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if not self._waiting:
            self._wanted.clear()
        try:
            answers = await self._bus.handle(TakeHeartbeats([beat for beat, _ in batch]))
        except Exception as error:  # handed on to everyone who waits for an answer
            _refuse(batch, error)
        except asyncio.CancelledError:
            _refuse(batch, UnavailableError("this process is ending"))
            raise
        else:
            for (_, answer), orders in zip(batch, answers, strict=True):
                if not answer.done():
                    answer.set_result(orders)


def _refuse(batch: Sequence[_Waiting], error: Exception) -> None:
    for _, answer in batch:
        if not answer.done():
            answer.set_exception(error)
