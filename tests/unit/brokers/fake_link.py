"""A broker that obeys the test."""

from __future__ import annotations

import asyncio

from rota.domain.errors import UnavailableError
from rota.infrastructure.brokers.letter import Letter
from rota.infrastructure.brokers.link import Place


class FakeLink:
    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.is_lost = False
        self.is_closed = False

    async def put(self, letter: Letter) -> Place:
        self._broker.at_once += 1
        self._broker.most_at_once = max(self._broker.most_at_once, self._broker.at_once)
        try:
            await self._broker.answers.wait()
        finally:
            self._broker.at_once -= 1
        if self._broker.fault is not None:
            raise self._broker.fault
        self._broker.stored.append(letter)
        return {"place": len(self._broker.stored)}

    async def close(self) -> None:
        self.is_closed = True
        if self._broker.fault_of_closing is not None:
            raise self._broker.fault_of_closing


class FakeBroker:
    """There, and answering, unless told otherwise. `links` are all that were opened, oldest first."""

    def __init__(self) -> None:
        self.is_there = True
        self.answers = asyncio.Event()
        self.answers.set()
        self.fault: BaseException | None = None
        self.fault_of_closing: Exception | None = None
        self.links: list[FakeLink] = []
        self.tries = 0
        self.stored: list[Letter] = []
        self.at_once = 0
        self.most_at_once = 0

    async def connect(self) -> FakeLink:
        self.tries += 1
        if not self.is_there:
            raise UnavailableError("nobody answers at amqp://user:secret@there")
        await asyncio.sleep(0)
        self.links.append(FakeLink(self))
        return self.links[-1]


class HandClock:
    """Monotonic seconds, moved by the test."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
