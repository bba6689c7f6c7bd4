"""Looks after the processes that no fault has in hand: what ended is started again, what stopped itself is woken."""

from __future__ import annotations

import asyncio
import random
import signal
from datetime import UTC, datetime

from tests.e2e.checker.history import Fault
from tests.e2e.nemesis.cluster import START_WITHIN, Cluster
from tests.e2e.nemesis.process import Process

WATCH_EVERY = 0.05
POINT_STOP = (1.0, 4.0)
"""Seconds that a process which stopped itself at a named point is left alone."""
RESTART = (0.3, 1.5)
"""Seconds until one that ended by itself is started again."""


class Warden:
    """What ends or stops by itself is a fault of its own, and is noted; what ends for no reason known is wrong.

    What the nemesis does itself it announces in `hands_off`.
    """

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self.faults: list[Fault] = []
        self.wrong: list[str] = []
        self.hands_off: set[Process] = set()
        self.known_ends: set[int] = {-signal.SIGKILL}
        """Statuses with which a process under test may end: at named points they kill themselves."""
        self._cluster = cluster
        self._chance = chance

    async def watch(self) -> None:
        """Until cancelled. A fault that is going on at that time is noted as well."""
        async with asyncio.TaskGroup() as tending:
            while True:
                for process in self._cluster.processes:
                    if process not in self.hands_off and (process.is_stopped or not process.is_running):
                        self.hands_off.add(process)
                        tending.create_task(self._tend(process))
                await asyncio.sleep(WATCH_EVERY)

    async def is_back(self, process: Process) -> bool:
        """Waits until a server answers, which is False if it ended instead. Workers are not waited for."""
        return process not in self._cluster.servers or await self._cluster.answers(process, START_WITHIN)

    async def _tend(self, process: Process) -> None:
        began = datetime.now(UTC)
        is_worker = process in self._cluster.workers
        kind = "stopped_itself" if process.is_stopped else "ended_itself"
        try:
            if process.is_stopped:
                await asyncio.sleep(self._chance.uniform(*POINT_STOP))
                process.thaw()
            else:
                self._judge_end(process)
                await asyncio.sleep(self._chance.uniform(*RESTART))
                process.start()
                await self.is_back(process)
        finally:
            self.faults.append(Fault(kind, process.name, began, datetime.now(UTC), at_edge=is_worker))
            self.hands_off.discard(process)

    def _judge_end(self, process: Process) -> None:
        if process.status not in self.known_ends and not _could_not_start(process):
            self.wrong.append(f"{process.name} ended by itself with status {process.status}: {process.tail()}")


def _could_not_start(process: Process) -> bool:
    """One line, as any refusal to start: what it needs was away."""
    last = process.tail(1)
    return last.startswith("rota: ") and ("does not answer" in last or "no NATS server answers" in last)
