"""The service on real servers: processes in this one and others of their own, and receivers on this machine."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import web
from tests.support.builders import a_schedule, next_id

from rota.application.ports.reads import Paging, RunFilter
from rota.application.trigger_schedule import TriggerSchedule
from rota.domain.delivery import Delivery, EventReceiver, HttpReceiver
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import OneShot, Trigger
from rota.entrypoints.bootstrap.server import Server, application
from rota.entrypoints.loops.watch import Watchdog
from rota.entrypoints.settings import Settings, read_settings
from rota.infrastructure.postgres.schema import migrate
from rota.infrastructure.postgres.unit_of_work import PostgresBegin

ALL_ROLES = ("leader", "relay", "targets")
FAR = datetime(2100, 1, 1, tzinfo=UTC)
PATIENCE = 20.0
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def migrated_url(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def settings(migrated_url: str, nats_url: str, tmp_path: Path) -> Settings:
    return read_settings(
        postgres_url=migrated_url,
        nats_url=nats_url,
        rota_data_dir=tmp_path,
        rota_webhooks_to_private=True,
        webhook_hmac_secret=SECRET,
        rota_pool_size=4,
    )


@dataclass(slots=True)
class House:
    """What a test asks of the service, all of it through one tenant of its own."""

    settings: Settings
    server: Server
    tenant: TenantId = field(default_factory=lambda: TenantId(f"t{next_id().hex[-12:]}"))

    @property
    def begin(self) -> PostgresBegin:
        return PostgresBegin(self.server.reads._engine)

    async def schedule(self, to: Delivery, trigger: Trigger | None = None) -> Schedule:
        """One that its trigger does not fire, unless another is given."""
        schedule = a_schedule(trigger or OneShot(FAR), delivery=to, name=str(next_id()), now=self.server.clock.now())
        schedule.tenant_id = self.tenant
        async with self.begin() as work:
            work.schedules.add(schedule)
            await work.commit()
        return schedule

    async def fire(self, schedule_id: ScheduleId, payload: str | None = None) -> Run:
        sent = None if payload is None else Json(payload)
        return await self.server.wired.bus.handle(
            TriggerSchedule(tenant_id=self.tenant, schedule_id=schedule_id, payload=sent)
        )

    async def runs(self) -> list[Run]:
        page = await self.server.reads.runs(self.tenant, RunFilter(), Paging(limit=200))
        return list(page.items)

    async def again(self, run: Run) -> Run:
        return await self.server.reads.run(run.tenant_id, run.id)

    async def comes_to(self, run: Run, *states: RunState) -> Run:
        """The run once it is in one of these."""

        async def has_come() -> bool:
            return (await self.again(run)).state in states

        await sooner_or_later(has_come)
        return await self.again(run)


async def sooner_or_later(look: Callable[[], Awaitable[object]]) -> None:
    deadline = monotonic() + PATIENCE
    while not await look():
        assert monotonic() < deadline, "it has not come true in time"
        await asyncio.sleep(0.02)


class Unwatched(Watchdog):
    """The real one ends the whole process some time after it was stopped, which here is the tests' own."""

    async def run(self) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def a_process(settings: Settings, roles: Collection[str] = ALL_ROLES) -> AsyncIterator[Server]:
    """One more process of the service, which is stopped in the end as by a signal."""
    async with application(settings, roles) as server:
        server.watchdog = Unwatched()
        task = asyncio.create_task(server.run())
        try:
            yield server
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    """All roles but `targets`: whoever carries deliveries is the test's to choose."""
    async with a_process(settings, ("leader", "relay")) as server:
        yield House(settings, server)


@contextmanager
def a_carrier_of_its_own(settings: Settings, fault: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process that can be killed: `rota serve --roles targets`. In the end it is."""
    environment = os.environ | {
        "POSTGRES_URL": settings.postgres_url,
        "NATS_URL": settings.nats_url,
        "ROTA_DATA_DIR": str(settings.rota_data_dir),
        "ROTA_WEBHOOKS_TO_PRIVATE": "true",
        "ROTA_FAULT_POINTS": fault,
    }
    command = [sys.executable, "-m", "rota.entrypoints.cli", "serve", "--roles", "targets"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@dataclass(slots=True)
class Receiver:
    """`hangs` on every request while it is set; else answers `status`. `left` counts callers that went away."""

    port: int = 0
    status: int = 200
    hangs: bool = False
    left: int = 0
    received: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.received.append(request)
        try:
            while self.hangs:
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.left += 1
            raise
        return web.Response(status=self.status, text="as told")


@asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    runner = web.ServerRunner(web.Server(made.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    made.hangs = False
    await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as made:
        yield made


def to_http(receiver: Receiver, **terms: object) -> Delivery:
    return Delivery(receiver=HttpReceiver(url=receiver.url), **terms)  # type: ignore[arg-type]  # its terms


def to_topic(topic: str, **terms: object) -> Delivery:
    return Delivery(receiver=EventReceiver(topic), **terms)  # type: ignore[arg-type]  # its terms
