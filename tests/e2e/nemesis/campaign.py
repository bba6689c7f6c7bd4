"""One test run in its phases: start, steady load, faults, heal, quiesce, final read, check, report."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from tests.e2e.checker.figures import figures
from tests.e2e.checker.history import Expectations, Fault, History
from tests.e2e.checker.judge import judge, lives_of, read_history
from tests.e2e.checker.streams import REPORTS, WORK, read_streams
from tests.e2e.nemesis.api import Api
from tests.e2e.nemesis.cluster import TENANT, Cluster, Warden
from tests.e2e.nemesis.load import Load
from tests.e2e.nemesis.plan import Strike
from tests.e2e.nemesis.report import Report
from tests.e2e.nemesis.strikes import Nemesis

QUIET_WITHIN = 90.0
LOOK_EVERY = 0.25

_UNFINISHED = "SELECT count(*) FROM runs WHERE state NOT IN ('SUCCEEDED', 'DEAD', 'CANCELLED', 'SKIPPED')"
_UNPUBLISHED = "SELECT count(*) FROM events WHERE position > (SELECT coalesce(max(position), 0) FROM cursors)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """`directory` keeps the servers' data, the logs, the journals and the report."""

    directory: Path
    seed: int
    seconds: float
    plan: Sequence[Strike]
    elected: bool = True
    points: str = ""
    workers: int = 3
    recovery: timedelta = timedelta(seconds=15)
    late: timedelta = timedelta(seconds=2)
    tell: Callable[[str], None] = field(default=lambda _: None)

    async def carry_out(self) -> Report:
        cluster = Cluster(self.directory, workers=self.workers, elected=self.elected, points=self.points)
        chance = random.Random(self.seed)
        try:
            self.tell("start")
            await cluster.start()
            api = Api(cluster.urls, cluster.token)
            load = Load(api, TENANT, chance)
            await load.prepare()
            self.tell("load and faults")
            faults, unclean = await self._trouble(cluster, load, chance)
            await load.end()
            self.tell("quiesce")
            quiet = await _quiesce(cluster)
            self.tell("quiet" if quiet else f"not quiet after {QUIET_WITHIN:g} s")
            await api.close()
            history = await self._read(cluster, load, faults)
            unclean += await cluster.end()
            return self._report(history, load, api, unclean)
        finally:
            await cluster.stop()

    async def _trouble(self, cluster: Cluster, load: Load, chance: random.Random) -> tuple[list[Fault], list[str]]:
        """The faults, and what was wrong with the ending of processes that were asked to end."""
        warden = Warden(cluster, chance)
        nemesis = Nemesis(cluster, warden, self.tell)
        until = asyncio.get_running_loop().time() + self.seconds
        async with _beside(warden.watch()):
            async with _beside(load.run()):
                await nemesis.follow(self.plan)
                await asyncio.sleep(max(0.0, until - asyncio.get_running_loop().time()))
            self.tell("heal")
            await nemesis.heal()
        return sorted([*nemesis.faults, *warden.faults], key=lambda fault: fault.began), nemesis.unclean

    async def _read(self, cluster: Cluster, load: Load, faults: Sequence[Fault]) -> History:
        return await read_history(
            cluster.postgres.url,
            cluster.nats.url,
            list(cluster.journals.glob("*.jsonl")),
            faults,
            Expectations(until=datetime.now(UTC), late=self.late, recovery=self.recovery, elected=self.elected),
            load.accepted,
        )

    def _report(self, history: History, load: Load, api: Api, unclean: Sequence[str]) -> Report:
        return Report(
            seed=self.seed,
            seconds=self.seconds,
            elected=self.elected,
            plan=self.plan,
            faults=history.faults,
            findings=judge(history),
            figures=figures(history, lives_of(history)),
            accepted=len(load.accepted),
            unknown=api.unknown,
            unavailable=api.unavailable,
            refusals=load.refusals,
            unclean=unclean,
        )


@asynccontextmanager
async def _beside(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Runs `work` for as long as the block lasts; what it raises ends the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        yield
        task.cancel()


async def _quiesce(cluster: Cluster) -> bool:
    """Whether every run ended, every event went out, and nothing waits on the bus, within the time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(QUIET_WITHIN):
            while not await _is_quiet(cluster):
                await asyncio.sleep(LOOK_EVERY)
            return True
    return False


async def _is_quiet(cluster: Cluster) -> bool:
    connection = await asyncpg.connect(cluster.postgres.url, timeout=5, ssl=False)
    try:
        if await connection.fetchval(_UNFINISHED) or await connection.fetchval(_UNPUBLISHED):
            return False
    finally:
        await connection.close()
    streams = await read_streams(cluster.nats.url)
    work, reports = streams[WORK], streams[REPORTS]
    if work is None or reports is None:
        return False
    return not work.messages and not any(reader.pending or reader.unacknowledged for reader in reports.readers)
