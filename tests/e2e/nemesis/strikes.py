"""The faults themselves. Each is done to the system from outside, and noted with its interval."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from tests.e2e.checker.history import Fault
from tests.e2e.checker.streams import EVENTS, REPORTS, WORK
from tests.e2e.nemesis.cluster import SERVER_END, Cluster, Warden
from tests.e2e.nemesis.plan import Strike
from tests.e2e.nemesis.process import LOOK_EVERY, Process

from rota.infrastructure.embedded.server import EmbeddedServer

T = TypeVar("T")


class Nemesis:
    """Carries out a plan. A server that another fault has in hand already is left alone."""

    def __init__(self, cluster: Cluster, warden: Warden, tell: Callable[[str], None]) -> None:
        self.faults: list[Fault] = []
        self.unclean: list[str] = []
        self._cluster = cluster
        self._warden = warden
        self._tell = tell
        self._postgres = asyncio.Lock()
        self._nats = asyncio.Lock()

    async def follow(self, plan: Sequence[Strike]) -> None:
        """Returns when the last fault is over."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as going:
            for strike in plan:
                await asyncio.sleep(max(0.0, began + strike.at - asyncio.get_running_loop().time()))
                going.create_task(self._strike(strike))

    async def heal(self) -> None:
        """Everything runs, and no process kills itself any more: servers with points are replaced, one by one."""
        cluster = self._cluster
        for server in (cluster.nats, cluster.postgres):
            if not server.is_running:
                await server.start()
        for process in cluster.processes:
            if process not in self._warden.hands_off:
                process.thaw()
        for process in cluster.servers if cluster.points else ():
            await self._replace(process)
        await cluster.ready()

    async def _replace(self, server: Process) -> None:
        while server in self._warden.hands_off:
            await asyncio.sleep(LOOK_EVERY)
        self._warden.hands_off.add(server)
        began = datetime.now(UTC)
        wrong = await server.end(SERVER_END)
        server.start(ROTA_FAULT_POINTS="")
        await self._warden.until_back(server)
        self._warden.hands_off.discard(server)
        self.faults.append(Fault("replace_server", server.name, began, datetime.now(UTC)))
        if wrong:
            self.unclean.append(wrong)

    async def _strike(self, strike: Strike) -> None:
        began = datetime.now(UTC)
        target = await self._carry_out(strike)
        ended = datetime.now(UTC)
        if target is None:
            self._tell(f"{strike.kind}: nothing to do it to")
            return
        self.faults.append(Fault(strike.kind, target, began, ended))
        self._tell(f"{strike.kind} {target} for {(ended - began).total_seconds():.1f} s")

    async def _carry_out(self, strike: Strike) -> str | None:
        """What was struck; None if there was nothing to strike."""
        cluster = self._cluster
        match strike.kind.split("_"):
            case [how, "leader"]:
                return await self._process(how, await cluster.leader() or self._free(cluster.servers, strike), strike)
            case [how, "server"]:
                return await self._process(how, self._free(cluster.servers, strike), strike)
            case [how, "worker"]:
                return await self._process(how, self._free(cluster.workers, strike), strike)
            case ["kill", "nats"]:
                return await self._down(self._nats, cluster.nats, signal.SIGKILL, strike)
            case ["stop", "nats"]:
                return await self._freeze_nats(strike)
            case ["wipe", "nats"]:
                wipe = lambda: asyncio.to_thread(shutil.rmtree, cluster.nats_store)  # noqa: E731
                return await self._down(self._nats, cluster.nats, signal.SIGTERM, strike, wipe)
            case ["stop", "postgres"]:
                return await self._down(self._postgres, cluster.postgres, signal.SIGQUIT, strike)
            case ["kill", "postgres"]:
                return await self._down(self._postgres, cluster.postgres, signal.SIGKILL, strike)
            case ["delete", what]:
                return await self._delete(what, strike)
        raise ValueError(strike.kind)

    def _free(self, processes: Sequence[Process], strike: Strike) -> Process | None:
        free = [each for each in processes if each.is_running and each not in self._warden.hands_off]
        return _drawn(free, strike)

    async def _process(self, how: str, process: Process | None, strike: Strike) -> str | None:
        if process is None or process in self._warden.hands_off:
            return None
        self._warden.hands_off.add(process)
        try:
            if how == "stop":
                process.freeze()
                await asyncio.sleep(strike.lasts)
                process.thaw()
            else:
                process.kill()
                await process.has_ended(5.0)
                await asyncio.sleep(strike.lasts)
                process.start()
                await self._warden.until_back(process)
        finally:
            self._warden.hands_off.discard(process)
        return process.name

    async def _down(
        self,
        lock: asyncio.Lock,
        server: EmbeddedServer,
        ending: signal.Signals,
        strike: Strike,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> str | None:
        """Ends it by that signal, waits, and starts it again."""
        if lock.locked():
            return None
        async with lock:
            if server.pid is None:
                return None
            os.kill(server.pid, ending)
            while server.is_running:
                await asyncio.sleep(0.02)
            if meanwhile:
                await meanwhile()
            await asyncio.sleep(strike.lasts)
            await server.start()
        return server.program

    async def _freeze_nats(self, strike: Strike) -> str | None:
        if self._nats.locked():
            return None
        async with self._nats:
            pid = self._cluster.nats.pid
            if pid is None:
                return None
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(strike.lasts)
            finally:
                os.kill(pid, signal.SIGCONT)
        return self._cluster.nats.program

    async def _delete(self, what: str, strike: Strike) -> str | None:
        if self._nats.locked():
            return None
        async with self._nats:
            with suppress(NatsError, OSError, TimeoutError):
                client = await nats.connect(self._cluster.nats.url, connect_timeout=2, max_reconnect_attempts=1)
                try:
                    return await _delete(client.jetstream(timeout=2), what, strike)
                finally:
                    await client.close()
        return None


async def _delete(bus: JetStreamContext, what: str, strike: Strike) -> str | None:
    stream = {"work": WORK, "reports": REPORTS, "events": EVENTS, "lane": WORK}[what]
    try:
        if what != "lane":
            await bus.delete_stream(stream)
            return stream
        lane = _drawn([each.name for each in await bus.consumers_info(stream)], strike)
        if lane is None:
            return None
        await bus.delete_consumer(stream, lane)
        return f"{stream}/{lane}"
    except NotFoundError:
        return None


def _drawn(choices: Sequence[T], strike: Strike) -> T | None:
    return choices[int(strike.draw * len(choices))] if choices else None
