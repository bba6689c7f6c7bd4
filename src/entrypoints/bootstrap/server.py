"""One process of the service: opens the real adapters, runs the roles, closes in reverse."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import zoneinfo
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import structlog
from fastapi import FastAPI
from faststream.nats import NatsBroker
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from rota.application.ask_store_health import AskStoreHealth
from rota.application.check_health import CheckHealth
from rota.application.follow_events import Followers
from rota.application.judge_workers import HEARTBEAT
from rota.application.leadership import Leadership
from rota.application.look_at_lanes import LookAtLanes
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.tokens import Tokens
from rota.application.tally import Tally
from rota.domain.errors import UnavailableError
from rota.domain.ids import WorkerId
from rota.entrypoints.asyncapi.document import asyncapi_document
from rota.entrypoints.bootstrap.carriers import carriers
from rota.entrypoints.bootstrap.readings import readings
from rota.entrypoints.bootstrap.tokens import tokens
from rota.entrypoints.bootstrap.upkeep import wire_audit, wire_backfills, wire_redrives, wire_retention
from rota.entrypoints.bootstrap.wiring import Adapters, Wired, wire
from rota.entrypoints.bus.app import make_broker, start_broker, stop_broker
from rota.entrypoints.bus.heartbeats import HeartbeatBatcher
from rota.entrypoints.faults import checkpoint
from rota.entrypoints.http import services
from rota.entrypoints.http.app import create_app, create_metrics_app
from rota.entrypoints.http.server import HttpServer
from rota.entrypoints.http.services import HttpServices, WorkerAccess
from rota.entrypoints.loops.following import FollowingLoop
from rota.entrypoints.loops.intake import IntakeLoop
from rota.entrypoints.loops.leader import LeaderLoop
from rota.entrypoints.loops.pace import every
from rota.entrypoints.loops.relay import RelayLoop
from rota.entrypoints.loops.targets import TargetsLoop, wire_deliveries
from rota.entrypoints.loops.triggers import EventTriggerLoop, wire_triggers
from rota.entrypoints.loops.watch import Watchdog
from rota.entrypoints.metrics.exposition import Metrics
from rota.entrypoints.settings import Settings
from rota.infrastructure.calendars.ical import ICalendarFiles
from rota.infrastructure.nats import names
from rota.infrastructure.nats.connection import Connection, connect
from rota.infrastructure.nats.event_feed import NatsAnnounce, NatsEventFeed
from rota.infrastructure.nats.event_inbox import NatsEventInbox
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Publisher
from rota.infrastructure.nats.report_inbox import NatsReportInbox
from rota.infrastructure.nats.signals import DELIVERIES_SUBJECT, NatsNudge, NatsOrders, NatsWorkerControl
from rota.infrastructure.nats.work_lanes import NatsWorkLanes
from rota.infrastructure.postgres.audits import PostgresAudits
from rota.infrastructure.postgres.backfills import PostgresBackfillReads
from rota.infrastructure.postgres.clock import DatabaseClock
from rota.infrastructure.postgres.cursors import PostgresCursors
from rota.infrastructure.postgres.dead_letters import PostgresDeadLetters
from rota.infrastructure.postgres.engine import open_engine
from rota.infrastructure.postgres.evidence import PostgresEvidence
from rota.infrastructure.postgres.health import PostgresHealth
from rota.infrastructure.postgres.hearing import PostgresHearing
from rota.infrastructure.postgres.keyed_calls import PostgresKeyedCalls
from rota.infrastructure.postgres.leases import PostgresLeases
from rota.infrastructure.postgres.log import PostgresLog
from rota.infrastructure.postgres.numbers import PostgresNumbers
from rota.infrastructure.postgres.queued import PostgresQueuedRuns
from rota.infrastructure.postgres.reads import PostgresReads, PostgresUpcoming
from rota.infrastructure.postgres.rejections import PostgresRejections
from rota.infrastructure.postgres.retention import PostgresRetention
from rota.infrastructure.postgres.run_counts import PostgresRunCounts
from rota.infrastructure.postgres.unit_of_work import PostgresBegin
from rota.infrastructure.schemas import JsonSchemaRules

log = structlog.get_logger()

# Every server must agree about a due time, so the packaged time zone data counts, not the machine's.
zoneinfo.reset_tzpath(to=())

VERSION = "1"
LEASE_POOL = 3
RELAY_POOL = 3
TICK_MS, TICK_LOCK_MS = 1_500, 1_000
"""No statement of the leader's steps takes as long as a lease lasts; what never answers is known as that by then."""
CLOCK_EVERY = 1.0
PROVISION_EVERY = 5.0
LISTEN_EVERY = 0.5
LOOK_EVERY = 0.1


@dataclass(slots=True, kw_only=True)
class Server:
    """One process of the service, in the roles it was given. `run` lasts until it is cancelled."""

    roles: frozenset[str]
    settings: Settings
    wired: Wired
    clock: DatabaseClock
    leases: PostgresLeases
    terms: Mapping[str, Leadership]
    hearing: PostgresHearing
    upcoming: PostgresUpcoming
    reads: PostgresReads
    connection: Connection
    provisioner: Provisioner
    nudge: NatsNudge
    delivery_nudge: NatsNudge
    triggers: EventTriggerLoop
    targets: TargetsLoop | None
    broker: NatsBroker
    heartbeats: HeartbeatBatcher
    watchdog: Watchdog
    followers: Followers
    http: HttpServer | None
    app: FastAPI | None
    metrics_http: HttpServer | None
    metrics_app: FastAPI
    gave_up: asyncio.Event

    async def listening(self) -> str:
        """Waits until the API answers, and tells where."""
        assert self.http is not None, "this process has not the role api"
        return await self.http.listening()

    async def run(self) -> None:
        """Raises UnavailableError when the bus will not have us any more: then the process should end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._until_given_up())
            if self.http and self.app:
                tasks.create_task(self.http.run(self.app))
                tasks.create_task(FollowingLoop(self.followers).run())
            if self.metrics_http:
                tasks.create_task(self.metrics_http.run(self.metrics_app))
            tasks.create_task(self.watchdog.run())
            tasks.create_task(every(CLOCK_EVERY, "clock", self.clock.read))
            tasks.create_task(every(PROVISION_EVERY, "provision", self._provision))
            tasks.create_task(self.wired.sender.run())
            if self.roles & {"api", "leader"}:
                tasks.create_task(every(LOOK_EVERY, "lanes", lambda: self.wired.bus.handle(LookAtLanes())))
            if "leader" in self.roles:
                tasks.create_task(self._lead())
            if "relay" in self.roles:
                relay = RelayLoop(self.wired.bus, self.wired.relay)
                tasks.create_task(self.terms["relay"].run(relay.lead))
            if self.targets is not None:
                await self.delivery_nudge.listen(self.targets.deliveries.nudge)
                await NatsOrders(self.connection).listen(self.targets.carrier, self.targets.deliveries.obey)
                tasks.create_task(self.targets.run())
            if "reports" in self.roles:
                inbox = NatsReportInbox(self.connection, self.provisioner)
                tasks.create_task(IntakeLoop(self.wired.bus, inbox).run())
                tasks.create_task(self.heartbeats.run())
                tasks.create_task(every(LISTEN_EVERY, "hearing", self._listen))
                await start_broker(self.broker)

    async def _until_given_up(self) -> None:
        await self.gave_up.wait()
        raise UnavailableError("the bus refuses this process")

    async def _lead(self) -> None:
        loop = LeaderLoop(self.wired.bus, self.clock, self.upcoming)
        await self.nudge.listen(loop.nudge)

        async def lead(epoch: int) -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(loop.lead(epoch))
                tasks.create_task(self.triggers.run())

        if self.settings.rota_election == "off":
            await lead(await self.leases.epoch("leader"))
        else:
            await self.terms["leader"].run(lead)

    async def _provision(self) -> None:
        await self.provisioner.ensure_streams()
        await self.provisioner.ensure_intake()

    async def _listen(self) -> None:
        """Heartbeats are heard while the bus is up and the database takes them."""
        if self.connection.is_connected:
            await self.hearing.listened(self.clock.now())


@asynccontextmanager
async def application(
    settings: Settings, roles: Collection[str], http: HttpServer | None = None
) -> AsyncIterator[Server]:
    """Opens every adapter, and closes them in reverse, also `http` if it is given. Raises UnavailableError."""
    async with AsyncExitStack() as closing:

        def pool(size: int, **options: int) -> AsyncEngine:
            engine = open_engine(settings.postgres_url, size=size, **options)
            closing.push_async_callback(engine.dispose)
            return engine

        callers = pool(settings.rota_pool_size)
        loops = pool(settings.rota_pool_size, statement_ms=TICK_MS, lock_ms=TICK_LOCK_MS)
        relaying = pool(RELAY_POOL)
        leasing = pool(LEASE_POOL, statement_ms=1_000, lock_ms=500)
        if "api" in roles:
            http = http or HttpServer(settings.host, settings.port)
            closing.callback(http.close)
        metrics_http = None
        if settings.rota_metrics_port is not None:
            metrics_http = HttpServer(settings.host, settings.rota_metrics_port, "ROTA_METRICS_PORT")
            closing.callback(metrics_http.close)
        gave_up = asyncio.Event()
        connection = await connect(settings.nats_url, name="rota-server", on_closed=gave_up.set)
        closing.push_async_callback(connection.close)
        publisher, feed_publisher, targets_publisher = (Publisher(connection) for _ in range(3))
        provisioner = Provisioner(connection)
        await provisioner.ensure_streams()
        await provisioner.ensure_intake()
        clock = DatabaseClock(leasing)
        await clock.read()
        nudge, delivery_nudge = NatsNudge(connection), NatsNudge(connection, DELIVERIES_SUBJECT)
        hearing = PostgresHearing(leasing)
        rules = JsonSchemaRules()
        tally = Tally()
        on = Adapters(
            begin=PostgresBegin(callers, tally),
            loops=PostgresBegin(loops, tally),
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
            deliveries=delivery_nudge,
            rules=rules,
            weights=settings.rota_tenant_weights,
            ask_store=PostgresHealth(callers),
            at=checkpoint(settings.rota_fault_points),
        )
        wired = wire(on)
        heartbeats = HeartbeatBatcher(wired.bus)
        broker = make_broker(settings.nats_url, heartbeats.take)
        closing.push_async_callback(stop_broker, broker)
        reads = PostgresReads(callers)
        believed = await closing.enter_async_context(tokens(settings))
        document = asyncapi_document(VERSION, settings.nats_public_url or settings.nats_url)
        followers = Followers(PostgresLog(relaying), PostgresLog(callers))
        holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        terms = {name: Leadership(PostgresLeases(leasing), name, holder) for name in ("leader", "relay")}
        own = readings(
            roles,
            settings,
            pools={"callers": callers, "loops": loops, "relaying": relaying, "leasing": leasing},
            connection=connection,
            publishers={"work": publisher, "events": feed_publisher, "targets": targets_publisher},
            terms=terms,
            followers=followers,
        )
        metrics = Metrics(tally, own, lambda: wired.bus.handle(AskStoreHealth()), PostgresNumbers(relaying))
        http_services = _http_services(settings, wired, callers, clock, believed, rules, document, followers, metrics)
        cursors = PostgresCursors(loops)
        inboxes = [NatsEventInbox(connection, provisioner, cursors, stream) for stream in (names.TOPICS, names.EVENTS)]
        wire_redrives(wired.bus, begin=on.begin, loops=on.loops, clock=clock, ids=uuid7, rules=rules, nudge=nudge)
        wire_backfills(
            wired.bus, begin=on.begin, loops=on.loops, clock=clock, ids=uuid7, control=on.control, nudge=nudge
        )
        wire_audit(wired.bus, audits=PostgresAudits(relaying), begin=on.loops, clock=clock)
        wire_retention(
            wired.bus, store=PostgresRetention(relaying), clock=clock, policy=settings.rota_retention.to_policy()
        )
        wire_triggers(wired.bus, begin=on.loops, clock=clock, control=on.control, nudge=nudge)
        targets = None
        if "targets" in roles:
            carrying = await closing.enter_async_context(carriers(settings, clock, targets_publisher, provisioner))
            wire_deliveries(
                wired.bus,
                begin=on.loops,
                clock=clock,
                ids=uuid7,
                sender=wired.sender,
                control=on.control,
                nudge=nudge,
                at=on.at,
            )
            targets = TargetsLoop(
                wired.bus, carrying, PostgresLeases(leasing), WorkerId(uuid7()), slots=settings.rota_delivery_slots
            )
        yield Server(
            roles=frozenset(roles),
            settings=settings,
            wired=wired,
            clock=clock,
            leases=PostgresLeases(leasing),
            terms=terms,
            hearing=hearing,
            upcoming=PostgresUpcoming(loops),
            reads=reads,
            connection=connection,
            provisioner=provisioner,
            nudge=nudge,
            delivery_nudge=delivery_nudge,
            triggers=EventTriggerLoop(wired.bus, inboxes),
            targets=targets,
            broker=broker,
            heartbeats=heartbeats,
            watchdog=Watchdog(tally.loop_lag.observe),
            followers=followers,
            http=http,
            app=create_app(http_services) if http else None,
            metrics_http=metrics_http,
            metrics_app=create_metrics_app(http_services),
            gave_up=gave_up,
        )


def _http_services(
    settings: Settings,
    wired: Wired,
    callers: AsyncEngine,
    clock: DatabaseClock,
    believed: Tokens,
    rules: PayloadRules,
    asyncapi: dict[str, object],
    followers: Followers,
    metrics: Metrics,
) -> HttpServices:
    async def health() -> services.Health:
        found = await wired.bus.handle(CheckHealth())
        checks = {
            name: services.Check(services.HealthStatus(check.status), {"detail": check.detail})
            for name, check in found.checks.items()
        }
        return services.Health(services.HealthStatus(found.status), checks)

    async def is_ready() -> bool:
        return (await wired.bus.handle(CheckHealth())).is_ready

    return HttpServices(
        bus=wired.bus,
        reads=PostgresReads(callers),
        evidence=PostgresEvidence(callers),
        history=PostgresLog(callers),
        dead_letters=PostgresDeadLetters(callers),
        backfills=PostgresBackfillReads(callers),
        run_counts=PostgresRunCounts(callers),
        rejections=PostgresRejections(callers),
        keyed_calls=PostgresKeyedCalls(callers),
        clock=clock,
        tokens=believed,
        health=health,
        is_ready=is_ready,
        worker_access=WorkerAccess(
            nats_url=settings.nats_public_url or _without_user(settings.nats_url),
            user=settings.rota_worker_nats_user,
            password=settings.rota_worker_nats_password,
            heartbeat_sec=HEARTBEAT.total_seconds(),
        ),
        default_tz=settings.default_tz,
        payload_rules=rules,
        calendar_files=ICalendarFiles(),
        followers=followers,
        metrics=metrics,
        asyncapi=asyncapi,
        at=checkpoint(settings.rota_fault_points),
    )


def _without_user(url: str) -> str:
    """Workers are told the address, never the server's own credentials."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
