"""The whole API on adapters in memory, called as it is over the wire but for the socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from rota.application.follow_events import Followers
from rota.application.ports.tokens import Claims
from rota.application.tally import Tally
from rota.domain.errors import UnauthenticatedError
from rota.entrypoints.asyncapi.document import asyncapi_document
from rota.entrypoints.bootstrap.upkeep import wire_backfills, wire_redrives
from rota.entrypoints.bootstrap.wiring import Adapters, wire
from rota.entrypoints.http.app import create_app
from rota.entrypoints.http.services import Check, Health, HealthStatus, HttpServices, WorkerAccess
from rota.entrypoints.metrics.exposition import Metrics
from rota.entrypoints.metrics.readings import Readings
from rota.infrastructure.calendars.ical import ICalendarFiles
from rota.infrastructure.memory.backfills import InMemoryBackfillReads
from rota.infrastructure.memory.bus import (
    InMemoryAnnounce,
    InMemoryEventFeed,
    InMemoryNudge,
    InMemoryWorkerControl,
    InMemoryWorkLanes,
)
from rota.infrastructure.memory.clock import CountingIds, SettableClock
from rota.infrastructure.memory.dead_letters import InMemoryDeadLetters
from rota.infrastructure.memory.evidence import InMemoryEvidence
from rota.infrastructure.memory.health import InMemoryHealth
from rota.infrastructure.memory.hearing import InMemoryHearing
from rota.infrastructure.memory.keyed_calls import InMemoryKeyedCalls
from rota.infrastructure.memory.leases import InMemoryLeases
from rota.infrastructure.memory.log import InMemoryCursors, InMemoryLog
from rota.infrastructure.memory.numbers import InMemoryNumbers
from rota.infrastructure.memory.queued import InMemoryQueuedRuns
from rota.infrastructure.memory.reads import InMemoryReads
from rota.infrastructure.memory.rejections import InMemoryRejections
from rota.infrastructure.memory.run_counts import InMemoryRunCounts
from rota.infrastructure.memory.store import InMemoryBegin
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.schemas import JsonSchemaRules

Json = Any


class TokensByName:
    """Tokens that say what they are: `acme:read,operate`."""

    async def verify(self, token: str) -> Claims:
        tenant, _, scopes = token.partition(":")
        if not scopes:
            raise UnauthenticatedError("the token has expired")
        return Claims(tenant, frozenset(f"scheduler:{scope}" for scope in scopes.split(",")))


@dataclass
class Served:
    """The API, and what stands behind it for a test to look at and to turn."""

    store: InMemoryStore
    clock: SettableClock
    lanes: InMemoryWorkLanes
    control: InMemoryWorkerControl
    ready: bool = True
    health: Health = field(default_factory=lambda: Health(HealthStatus.UP, {"database": Check(HealthStatus.UP)}))
    services: Any = None
    app: Any = None

    def client(self, token: str | None = "acme:admin", base: str = "/api/v1", **headers: str) -> httpx.AsyncClient:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"http://rota{base}", headers=headers)


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """Put together once: that costs more than most tests. Its services are those of the test."""
    return create_app(_serve().services)


@pytest.fixture
def served(app: FastAPI) -> Served:
    made = _serve()
    app.state.services = made.services
    made.app = app
    return made


def _serve() -> Served:
    clock = SettableClock()
    ids = CountingIds(clock)
    store = InMemoryStore(ids)
    tally = Tally()
    ticks = count()
    leases = InMemoryLeases(clock)
    begin = InMemoryBegin(store, tally)
    control = InMemoryWorkerControl()
    lanes = InMemoryWorkLanes()
    cursors = InMemoryCursors()
    rules = JsonSchemaRules()
    wired = wire(
        Adapters(
            begin=begin,
            loops=begin,
            clock=clock,
            ids=ids,
            queued=InMemoryQueuedRuns(store),
            hearing=InMemoryHearing(),
            log=InMemoryLog(store),
            cursors=InMemoryCursors(),
            lanes=lanes,
            feed=InMemoryEventFeed(),
            control=control,
            announce=InMemoryAnnounce(),
            nudge=InMemoryNudge(),
            deliveries=InMemoryNudge(),
            rules=rules,
            ask_store=InMemoryHealth(store, leases, cursors),
        )
    )
    wire_redrives(wired.bus, begin=begin, loops=begin, clock=clock, ids=ids, rules=rules, nudge=InMemoryNudge())
    wire_backfills(wired.bus, begin=begin, loops=begin, clock=clock, ids=ids, control=control, nudge=InMemoryNudge())
    made = Served(store, clock, lanes, control)

    async def health() -> Health:
        return made.health

    async def is_ready() -> bool:
        return made.ready

    made.services = HttpServices(
        history=InMemoryLog(made.store),
        dead_letters=InMemoryDeadLetters(store),
        backfills=InMemoryBackfillReads(store),
        run_counts=InMemoryRunCounts(store),
        rejections=InMemoryRejections(store),
        keyed_calls=InMemoryKeyedCalls(store),
        bus=wired.bus,
        reads=InMemoryReads(store),
        evidence=InMemoryEvidence(store),
        clock=clock,
        tokens=TokensByName(),
        payload_rules=rules,
        calendar_files=ICalendarFiles(),
        followers=Followers(InMemoryLog(store), InMemoryLog(store), pause=0),
        metrics=Metrics(
            tally,
            Readings(followers=lambda: len(made.services.followers)),
            InMemoryHealth(store, leases, cursors),
            InMemoryNumbers(store, leases, cursors, clock),
            now=lambda: next(ticks) * 100.0,
        ),
        health=health,
        is_ready=is_ready,
        worker_access=WorkerAccess(nats_url="nats://bus:4222", user="worker", password="pass"),
        default_tz="Europe/Berlin",
        asyncapi=asyncapi_document("1", "nats://operator:secret@bus:4222"),
    )
    return made


@pytest.fixture
async def acme(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """The tenant acme with all scopes."""
    async with served.client() as client:
        yield client


@pytest.fixture
async def globex(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Another tenant, with all scopes."""
    async with served.client("globex:admin") as client:
        yield client


@pytest.fixture
async def job(acme: httpx.AsyncClient) -> Json:
    """A job of acme, named `reports.daily`."""
    return (await acme.post("/jobs", json={"name": "reports.daily"})).json()


def a_schedule(**more: Json) -> Json:
    return {
        "name": "daily",
        "tz": "UTC",
        "trigger": {"type": "CRON", "cron": "0 9 * * *"},
        "target": {"kind": "JOB", "job": "reports.daily"},
    } | more


def a_delivery(kind: str = "EVENT", **more: Json) -> Json:
    """A schedule that Rota delivers itself."""
    return a_schedule(target=TARGETS[kind], **more)


TARGETS: dict[str, Json] = {
    "EVENT": {"kind": "EVENT", "eventTopic": "orders.due", "payload": {"n": 1}},
    "HTTP": {
        "kind": "HTTP",
        "http": {
            "url": "https://example.com/hook",
            "method": "PUT",
            "headers": {"X-Team": "bi"},
            "body": "as it is",
            "timeoutSec": 2.5,
            "expectStatus": [202, 204],
        },
        "payload": [1],
    },
    "QUEUE": {"kind": "QUEUE", "queue": {"topic": "orders", "broker": "rabbit-1"}, "payload": "x"},
}


def errors(answer: httpx.Response) -> dict[str, str]:
    """What a problem document says of each field."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return {fault["field"]: fault["message"] for fault in answer.json().get("errors", ())}
