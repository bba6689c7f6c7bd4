"""What is old is removed in the pauses of the tick, and seldom where it has none."""

from __future__ import annotations

import pytest

from rota.application.command import MessageBus
from rota.application.remove_old import RemoveOld
from rota.entrypoints.loops import removal
from rota.entrypoints.loops.removal import RemovalLoop


class Tick:
    """`is_idle` as the test says; `removed` counts the batches."""

    def __init__(self) -> None:
        self.is_idle = True
        self.removed = 0
        self.bus = MessageBus()
        self.bus.on(RemoveOld, self._remove)

    async def _remove(self, command: RemoveOld) -> int:
        self.removed += 1
        return 250

    def loop(self) -> RemovalLoop:
        return RemovalLoop(self.bus, lambda: self.is_idle)


async def test_an_idle_tick_is_made_use_of_each_time() -> None:
    tick = Tick()
    loop = tick.loop()

    assert [await loop.step() for _ in range(3)] == [250, 250, 250]
    assert tick.removed == 3


async def test_a_busy_tick_is_left_alone() -> None:
    tick = Tick()
    tick.is_idle = False
    loop = tick.loop()

    assert [await loop.step() for _ in range(3)] == [0, 0, 0]
    assert tick.removed == 0


async def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "PATIENCE", 0.0)
    tick = Tick()
    tick.is_idle = False

    assert await tick.loop().step() == 250
