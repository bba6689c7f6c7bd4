"""The composition root: the only file that knows every class.

`wire` builds the use cases from adapters, so that a test passes its own; `application` opens the real ones
and closes them in reverse.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from faststream.nats import NatsBroker
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from rota.application.catch_up import CatchUpHandler, CatchUpOnce
from rota.application.change_job import ChangeJob, ChangeJobHandler
from rota.application.change_schedule import ChangeSchedule, ChangeScheduleHandler
from rota.application.check_health import CheckHealth, CheckHealthHandler
from rota.application.command import MessageBus
from rota.application.create_job import CreateJob, CreateJobHandler
from rota.application.create_runs import CreateRuns, CreateRunsHandler
from rota.application.create_schedules import CreateSchedules, CreateSchedulesHandler
from rota.application.delete_job import DeleteJob, DeleteJobHandler
from rota.application.delete_schedule import DeleteSchedule, DeleteScheduleHandler
from rota.application.disable_schedule import DisableSchedule, DisableScheduleHandler
from rota.application.dispatch import Credit, OpenCredit, Sender
from rota.application.drain_worker import DrainWorker, DrainWorkerHandler
from rota.application.enable_schedule import EnableSchedule, EnableScheduleHandler
from rota.application.fire_schedules import FireSchedules, FireSchedulesHandler
from rota.application.judge_workers import JudgeWorkers, JudgeWorkersHandler
from rota.application.keep_lanes import KeepLanes, KeepLanesHandler
from rota.application.leadership import Leadership
from rota.application.ports.bus import Announce, EventFeed, Nudge, WorkerControl, WorkLanes
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.health import AskStore
from rota.application.ports.log import Cursors, EventLog
from rota.application.ports.store import Begin, Hearing, QueuedRuns
from rota.application.register_worker import RegisterWorker, RegisterWorkerHandler
from rota.application.relay_events import RelayEvents, RelayEventsHandler
from rota.application.send_again import SendAgain, SendAgainHandler
from rota.application.take_heartbeats import TakeHeartbeats, TakeHeartbeatsHandler
from rota.application.take_reports import TakeReports, TakeReportsHandler
from rota.application.trigger_schedule import TriggerSchedule, TriggerScheduleHandler
from rota.application.wake_runs import WakeRuns, WakeRunsHandler
from rota.entrypoints.bus.app import make_broker
from rota.entrypoints.bus.heartbeats import HeartbeatBatcher
from rota.entrypoints.faults import checkpoint
from rota.entrypoints.loops.intake import IntakeLoop
from rota.entrypoints.loops.leader import LeaderLoop
from rota.entrypoints.loops.pace import every
from rota.entrypoints.loops.relay import RelayLoop
from rota.entrypoints.loops.watch import Watchdog
from rota.entrypoints.settings import Settings
from rota.infrastructure.nats.connection import Connection, connect
from rota.infrastructure.nats.event_feed import NatsAnnounce, NatsEventFeed
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Publisher
from rota.infrastructure.nats.report_inbox import NatsReportInbox
from rota.infrastructure.nats.signals import NatsNudge, NatsWorkerControl
from rota.infrastructure.nats.work_lanes import NatsWorkLanes
from rota.infrastructure.postgres.clock import DatabaseClock
from rota.infrastructure.postgres.cursors import PostgresCursors
from rota.infrastructure.postgres.engine import open_engine
from rota.infrastructure.postgres.health import PostgresHealth
from rota.infrastructure.postgres.hearing import PostgresHearing
from rota.infrastructure.postgres.leases import PostgresLeases
from rota.infrastructure.postgres.log import PostgresLog
from rota.infrastructure.postgres.queued import PostgresQueuedRuns
from rota.infrastructure.postgres.reads import PostgresReads, PostgresUpcoming
from rota.infrastructure.postgres.unit_of_work import PostgresBegin

log = structlog.get_logger()

LEASE_POOL = 3
RELAY_POOL = 2
CLOCK_EVERY = 1.0
PROVISION_EVERY = 5.0
LISTEN_EVERY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What the use cases stand on. The loops and the API have a store each, so that neither starves the other."""

    begin: Begin
    loops: Begin
    clock: Clock
    ids: Ids
    queued: QueuedRuns
    hearing: Hearing
    log: EventLog
    cursors: Cursors
    lanes: WorkLanes
    feed: EventFeed
    control: WorkerControl
    announce: Announce
    nudge: Nudge
    ask_store: AskStore
    at: Checkpoint = pass_by


@dataclass(frozen=True, slots=True)
class Wired:
    bus: MessageBus
    sender: Sender
    relay: RelayEventsHandler


def wire(on: Adapters) -> Wired:
    sender = Sender(on.lanes)
    credit: Credit = OpenCredit(sender)
    relay = RelayEventsHandler(on.log, on.cursors, on.feed, on.at)
    bus = MessageBus()
    _wire_callers(bus, on)
    bus.on(FireSchedules, FireSchedulesHandler(on.loops, on.clock, on.ids, credit, sender, on.at))
    bus.on(WakeRuns, WakeRunsHandler(on.loops, on.clock, credit, sender, on.control))
    bus.on(CatchUpOnce, CatchUpHandler(on.loops, on.clock, on.ids))
    bus.on(JudgeWorkers, JudgeWorkersHandler(on.loops, on.clock, on.hearing, on.lanes, sender))
    bus.on(KeepLanes, KeepLanesHandler(on.lanes, on.queued, on.cursors, on.clock, sender))
    bus.on(SendAgain, SendAgainHandler(on.lanes, on.queued, on.clock, sender))
    bus.on(TakeReports, TakeReportsHandler(on.loops, on.clock, sender, on.control, on.nudge, on.at))
    bus.on(TakeHeartbeats, TakeHeartbeatsHandler(on.loops, on.clock, on.announce))
    bus.on(RelayEvents, relay)
    return Wired(bus, sender, relay)


def _wire_callers(bus: MessageBus, on: Adapters) -> None:
    bus.on(CreateSchedules, CreateSchedulesHandler(on.begin, on.clock, on.ids, on.nudge))
    bus.on(ChangeSchedule, ChangeScheduleHandler(on.begin, on.clock, on.ids, on.nudge))
    bus.on(EnableSchedule, EnableScheduleHandler(on.begin, on.clock, on.ids, on.nudge))
    bus.on(DisableSchedule, DisableScheduleHandler(on.begin, on.clock, on.ids, on.nudge))
    bus.on(DeleteSchedule, DeleteScheduleHandler(on.begin, on.clock, on.ids, on.nudge))
    bus.on(TriggerSchedule, TriggerScheduleHandler(on.begin, on.clock, on.ids, on.nudge))
    bus.on(CreateJob, CreateJobHandler(on.begin, on.clock, on.ids))
    bus.on(ChangeJob, ChangeJobHandler(on.begin, on.clock))
    bus.on(DeleteJob, DeleteJobHandler(on.begin, on.clock, on.lanes))
    bus.on(CreateRuns, CreateRunsHandler(on.begin, on.clock, on.ids, on.nudge))
    bus.on(RegisterWorker, RegisterWorkerHandler(on.begin, on.clock, on.ids, on.lanes))
    bus.on(DrainWorker, DrainWorkerHandler(on.begin, on.clock, on.control))
    bus.on(CheckHealth, CheckHealthHandler(on.ask_store, lambda: on.lanes.is_up))


@dataclass(slots=True, kw_only=True)
class Server:
    """One process of the service, in the roles it was given. `run` lasts until it is cancelled."""

    roles: frozenset[str]
    settings: Settings
    wired: Wired
    clock: DatabaseClock
    leases: PostgresLeases
    hearing: PostgresHearing
    upcoming: PostgresUpcoming
    reads: PostgresReads
    connection: Connection
    provisioner: Provisioner
    nudge: NatsNudge
    broker: NatsBroker
    heartbeats: HeartbeatBatcher
    watchdog: Watchdog
    holder: str

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.watchdog.run())
            tasks.create_task(every(CLOCK_EVERY, "clock", self.clock.read))
            tasks.create_task(every(PROVISION_EVERY, "provision", self._provision))
            tasks.create_task(self.wired.sender.run())
            if "leader" in self.roles:
                tasks.create_task(self._lead())
            if "relay" in self.roles:
                relay = RelayLoop(self.wired.bus, self.wired.relay)
                tasks.create_task(Leadership(self.leases, "relay", self.holder).run(relay.lead))
            if "reports" in self.roles:
                inbox = NatsReportInbox(self.connection, self.provisioner)
                tasks.create_task(IntakeLoop(self.wired.bus, inbox).run())
                tasks.create_task(self.heartbeats.run())
                tasks.create_task(every(LISTEN_EVERY, "hearing", self._listen))
                await self.broker.start()

    async def _lead(self) -> None:
        loop = LeaderLoop(self.wired.bus, self.clock, self.upcoming)
        await self.nudge.listen(loop.nudge)
        if self.settings.rota_election == "off":
            await loop.lead(await self.leases.epoch("leader"))
        else:
            await Leadership(self.leases, "leader", self.holder).run(loop.lead)

    async def _provision(self) -> None:
        await self.provisioner.ensure_streams()
        await self.provisioner.ensure_intake()

    async def _listen(self) -> None:
        """Heartbeats are heard while the bus is up and the database takes them."""
        if self.connection.is_connected:
            await self.hearing.listened(self.clock.now())


@asynccontextmanager
async def application(settings: Settings, roles: Collection[str]) -> AsyncIterator[Server]:
    """Opens every adapter, and closes them in reverse. Raises UnavailableError."""
    async with AsyncExitStack() as closing:

        def pool(size: int, **options: int) -> AsyncEngine:
            engine = open_engine(settings.postgres_url, size=size, **options)
            closing.push_async_callback(engine.dispose)
            return engine

        callers = pool(settings.rota_pool_size)
        loops = pool(settings.rota_pool_size)
        relaying = pool(RELAY_POOL)
        leasing = pool(LEASE_POOL, statement_ms=1_000, lock_ms=500)
        connection = await connect(settings.nats_url, name="rota-server")
        closing.push_async_callback(connection.close)
        publisher, feed_publisher = Publisher(connection), Publisher(connection)
        provisioner = Provisioner(connection)
        await provisioner.ensure_streams()
        await provisioner.ensure_intake()
        clock = DatabaseClock(leasing)
        await clock.read()
        nudge = NatsNudge(connection)
        hearing = PostgresHearing(leasing)
        wired = wire(
            Adapters(
                begin=PostgresBegin(callers),
                loops=PostgresBegin(loops),
                clock=clock,
                ids=uuid7,
                queued=PostgresQueuedRuns(loops),
                hearing=hearing,
                log=PostgresLog(relaying),
                cursors=PostgresCursors(relaying),
                lanes=NatsWorkLanes(connection, publisher, provisioner),
                feed=NatsEventFeed(feed_publisher, provisioner),
                control=NatsWorkerControl(connection),
                announce=NatsAnnounce(connection),
                nudge=nudge,
                ask_store=PostgresHealth(callers),
                at=checkpoint(settings.rota_fault_points),
            )
        )
        heartbeats = HeartbeatBatcher(wired.bus)
        broker = make_broker(settings.nats_url, heartbeats.take)
        closing.push_async_callback(broker.stop)
        yield Server(
            roles=frozenset(roles),
            settings=settings,
            wired=wired,
            clock=clock,
            leases=PostgresLeases(leasing),
            hearing=hearing,
            upcoming=PostgresUpcoming(loops),
            reads=PostgresReads(callers),
            connection=connection,
            provisioner=provisioner,
            nudge=nudge,
            broker=broker,
            heartbeats=heartbeats,
            watchdog=Watchdog(),
            holder=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        )
