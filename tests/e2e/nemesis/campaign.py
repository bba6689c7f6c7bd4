"""One test run in its phases: start, steady load, faults, heal, quiesce, final read, check, report."""

from __future__ import annotations

import asyncio
import os
import pickle
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg
from tests.e2e.checker.figures import figures, spread
from tests.e2e.checker.history import Expectations, Fault, History, Witness
from tests.e2e.checker.journals import read_requests
from tests.e2e.checker.judge import judge, lives_of, read_history
from tests.e2e.checker.streams import REPORTS, WORK, read_streams
from tests.e2e.checker.variety import variety
from tests.e2e.nemesis.api import Api
from tests.e2e.nemesis.cluster import TENANT, Cluster
from tests.e2e.nemesis.field import Field
from tests.e2e.nemesis.load import Load
from tests.e2e.nemesis.logs import complaints
from tests.e2e.nemesis.nemesis import Nemesis
from tests.e2e.nemesis.receiver import JOURNAL
from tests.e2e.nemesis.receiving import receiving
from tests.e2e.nemesis.report import Report
from tests.e2e.nemesis.strike import Strike
from tests.e2e.nemesis.tap import Tap
from tests.e2e.nemesis.warden import Warden
from tests.e2e.nemesis.watch import LOOK_EVERY, PAUSE, CursorWatch, LogReader, keep_looking, watch_for_stalls
from tests.e2e.nemesis.whole_life import WholeLife

QUIET_WITHIN = 90.0
LOOK_PAUSE = 0.25
IDLE_TOO_LONG = timedelta(seconds=2)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_UNFINISHED = "SELECT count(*) FROM runs WHERE state NOT IN ('SUCCEEDED', 'DEAD', 'CANCELLED', 'SKIPPED')"
_UNPUBLISHED = "SELECT count(*) FROM events WHERE position > (SELECT coalesce(max(position), 0) FROM cursors)"
_LEAKED = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND state LIKE 'idle in transaction%' AND clock_timestamp() - state_change > $1"
)


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
        try:
            self.tell("start")
            await cluster.start()
            return await _Course(self, cluster).run()
        finally:
            await cluster.stop()


class _Course:
    """What one campaign has in hand while it lasts."""

    def __init__(self, campaign: Campaign, cluster: Cluster) -> None:
        chance = random.Random(campaign.seed)
        self._campaign = campaign
        self._cluster = cluster
        self._api = Api(cluster.api_urls, cluster.token)
        self._load = Load(self._api, TENANT, chance)
        self._life = WholeLife(self._api, TENANT, random.Random(campaign.seed))
        self._tap = Tap(lambda: cluster.nats.url)
        self._reader, self._cursor = LogReader(), CursorWatch()
        self._stalls: list[Fault] = []
        self._warden = Warden(cluster, chance)
        self._field = Field(cluster, self._warden, self._tap, self._api, campaign.tell)
        self._nemesis = Nemesis(self._field)
        self._wrong: list[str] = []

    async def run(self) -> Report:
        async with receiving(self._campaign.directory, os.getpid()) as receivers:
            return await self._run(receivers)

    async def _run(self, receivers: Mapping[str, str]) -> Report:
        tell = self._campaign.tell
        await self._life.make_jobs()
        self._cluster.start_workers()
        await self._load.prepare()
        await self._life.prepare(receivers)
        async with self._watched():
            tell("load and faults")
            await self._trouble()
            await self._load.end()
            tell("quiesce")
            await self._quiesce()
        await self._api.close()
        history = await self._read()
        await asyncio.to_thread(_keep, self._campaign.directory / "history.pickle", history)
        self._wrong += await self._cluster.end()
        tell("check")
        return self._report(history)

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        def url() -> str:
            return self._cluster.postgres.url

        await self._tap.open()
        async with AsyncExitStack() as witnesses:
            witnesses.push_async_callback(self._tap.close)
            await witnesses.enter_async_context(_beside(keep_looking(url, self._reader.step, PAUSE)))
            await witnesses.enter_async_context(_beside(keep_looking(url, self._cursor.step, LOOK_EVERY)))
            await witnesses.enter_async_context(_beside(watch_for_stalls(self._stalls)))
            yield

    async def _trouble(self) -> None:
        until = asyncio.get_running_loop().time() + self._campaign.seconds
        async with _beside(self._warden.watch()):
            async with _beside(self._load.run()), _beside(self._life.run()):
                await self._nemesis.follow(self._campaign.plan)
                await asyncio.sleep(max(0.0, until - asyncio.get_running_loop().time()))
            self._campaign.tell("heal")
            await self._nemesis.heal()

    async def _quiesce(self) -> None:
        """Until every run ended, every event went out, and nothing waits on the bus.

        Not under `asyncio.timeout`: what waits in nats-py, or in `wait_for` of Python 3.11, may swallow its cancellation.
        """
        until = asyncio.get_running_loop().time() + QUIET_WITHIN
        while not await self._is_quiet():
            if asyncio.get_running_loop().time() > until:
                self._wrong.append(f"not quiet {QUIET_WITHIN:g} s after the last fault")
                return
            await asyncio.sleep(LOOK_PAUSE)

    async def _is_quiet(self) -> bool:
        connection: Connection = await asyncpg.connect(self._cluster.postgres.url, timeout=5, ssl=False)
        try:
            if await connection.fetchval(_UNFINISHED) or await connection.fetchval(_UNPUBLISHED):
                return False
        finally:
            await connection.close()
        streams = await read_streams(self._cluster.nats.url)
        work, reports = streams[WORK], streams[REPORTS]
        if work is None or reports is None:
            return False
        return not work.messages and not any(reader.pending or reader.unacknowledged for reader in reports.readers)

    async def _read(self) -> History:
        await self._last_look()
        campaign, own = self._campaign, self._field
        until = datetime.now(UTC)
        return await read_history(
            self._cluster.postgres.url,
            self._cluster.nats.url,
            list(self._cluster.journals.glob("*.jsonl")),
            sorted([*own.faults, *self._warden.faults, *self._stalls], key=lambda fault: fault.began),
            Expectations(until=until, late=campaign.late, recovery=campaign.recovery, elected=campaign.elected),
            [*self._load.accepted, *self._life.accepted, *own.accepted],
            Witness(
                seen=self._reader.seen,
                cursor=self._cursor.samples,
                started=self._tap.started,
                malformed=own.malformed,
                cancelled=self._life.cancelled,
                requests=read_requests(campaign.directory / JOURNAL),
            ),
        )

    async def _last_look(self) -> None:
        """The reader reads on to the end, and nobody has left a transaction open."""
        connection: Connection = await asyncpg.connect(self._cluster.postgres.url, timeout=5, ssl=False)
        try:
            while not await self._reader.has_all(connection):
                continue
            if leaked := await connection.fetchval(_LEAKED, IDLE_TOO_LONG):
                self._wrong.append(f"{leaked} transactions are open, and nobody goes on with them")
        finally:
            await connection.close()

    def _report(self, history: History) -> Report:
        campaign = self._campaign
        return Report(
            seed=campaign.seed,
            seconds=campaign.seconds,
            elected=campaign.elected,
            plan=campaign.plan,
            faults=history.faults,
            nothing_struck=self._nemesis.missed,
            findings=judge(history),
            figures=figures(history, lives_of(history)),
            variety=variety(history),
            accepted=len(history.accepted),
            unknown=self._api.unknown,
            unavailable=self._api.unavailable,
            refusals=[*self._load.refusals, *self._life.refusals, *self._api.wrong],
            wrong=[*self._wrong, *self._field.wrong, *self._warden.wrong],
            endings=spread([took for server in self._cluster.servers for took in server.endings]),
            complaints=complaints(self._cluster.log_of(process) for process in self._cluster.processes),
        )


def _keep(path: Path, history: History) -> None:
    """To be judged again, should the verdict be in doubt."""
    path.write_bytes(pickle.dumps(history))


@asynccontextmanager
async def _beside(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Runs `work` for as long as the block lasts; what it raises ends the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        yield
        task.cancel()
