"""Carries out a plan, and puts everything right in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.e2e.checker.history import Fault
from tests.e2e.nemesis.arsenal import KINDS
from tests.e2e.nemesis.cluster import SERVER_END
from tests.e2e.nemesis.field import Field, NothingToStrikeError
from tests.e2e.nemesis.process import LOOK_EVERY, Process
from tests.e2e.nemesis.strike import Strike


class Nemesis:
    """What another fault has in hand already is left alone: such a strike misses, and is counted in `missed`."""

    def __init__(self, field: Field) -> None:
        self.missed: list[str] = []
        self._field = field

    async def follow(self, plan: Sequence[Strike]) -> None:
        """Returns when the last fault is over."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as going:
            for strike in plan:
                await asyncio.sleep(max(0.0, began + strike.at - asyncio.get_running_loop().time()))
                going.create_task(self._strike(strike))

    async def heal(self) -> None:
        """Everything runs, and no process kills itself any more: servers with points are replaced, one by one."""
        cluster = self._field.cluster
        await cluster.links.heal()
        for server in (cluster.nats, cluster.postgres):
            if not server.is_running:
                await server.start()
        for process in cluster.processes:
            if process not in self._field.warden.hands_off:
                process.thaw()
        for process in cluster.servers if cluster.points else ():
            await self._replace(process)
        await cluster.ready()

    async def _strike(self, strike: Strike) -> None:
        try:
            await KINDS[strike.kind].way(self._field, strike)
        except NothingToStrikeError:
            self.missed.append(strike.kind)
            self._field.tell(f"{strike.kind}: nothing to do it to")

    async def _replace(self, server: Process) -> None:
        while server in self._field.warden.hands_off:
            await asyncio.sleep(LOOK_EVERY)
        with self._field.in_hand(server):
            began = datetime.now(UTC)
            if wrong := await server.end(SERVER_END, self._field.warden.known_ends):
                self._field.wrong.append(wrong)
            server.start(ROTA_FAULT_POINTS="")
            await self._field.warden.is_back(server)
            self._field.faults.append(Fault("replace_server", server.name, began, datetime.now(UTC)))
