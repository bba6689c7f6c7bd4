"""The OpenAPI document says what is true."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from pydantic import TypeAdapter
from tests.unit.http.conftest import Json, Served, a_delivery, a_schedule
from tests.unit.http.test_calendars import FULL, a_file
from tests.unit.http.test_callers import ENDPOINTS

from rota.entrypoints.http.health import HealthOut
from rota.entrypoints.http.openapi import ProblemOut
from rota.entrypoints.http.wire.calendars import CalendarOut, DaysOut, ImportedOut
from rota.entrypoints.http.wire.jobs import JobOut
from rota.entrypoints.http.wire.lists import ItemsOut, PageOut
from rota.entrypoints.http.wire.runs import RunOut
from rota.entrypoints.http.wire.schedules import FiresOut, MissOut, ScheduleOut
from rota.entrypoints.http.wire.workers import ControlOut, RegisteredOut, WorkerOut


@pytest.fixture
async def document(served: Served) -> Json:
    async with served.client(None, base="") as client:
        return (await client.get("/openapi.json")).json()


def refs(node: Json) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from refs(inner)


async def test_it_is_of_version_3_1_and_whole(document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    for ref in set(refs(document)):
        assert ref.removeprefix("#/components/schemas/") in document["components"]["schemas"]


async def test_below_the_prefix_it_says_so(served: Served, document: Json) -> None:
    async with served.client(None) as client:
        below = (await client.get("/openapi.json")).json()
        pages = await client.get("/docs")

    assert below == document | {"servers": [{"url": "/api/v1"}]}
    assert "/api/v1/openapi.json" in pages.text


async def test_it_knows_every_endpoint_and_its_scope(document: Json) -> None:
    known = {
        (method.upper(), re.sub(r"{\w+}", "{id}", path)): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    for scope, method, path in ENDPOINTS:
        operation = known.pop((method, path))
        assert operation["security"] == [{"HTTPBearer": [f"scheduler:{scope}"]}]
        assert ("requestBody" in operation) == (method in ("POST", "PATCH")), path
        assert operation["responses"].keys() >= {"4XX", "5XX"}
        assert "422" not in operation["responses"]
    assert known.keys() == {("GET", "/ready"), ("GET", "/live")}


async def test_a_body_tells_what_it_needs_and_that_it_takes_nothing_else(document: Json) -> None:
    assert document["components"]["schemas"]["ScheduleIn"]["additionalProperties"] is False
    assert set(document["components"]["schemas"]["ScheduleIn"]["required"]) == {"name", "trigger", "target"}


async def test_answers_have_the_shape_that_it_tells(served: Served, acme: httpx.AsyncClient, job: Json) -> None:
    schedule = await acme.post("/schedules", json=a_schedule())
    place = f"/schedules/{schedule.json()['id']}"
    shot = a_schedule(name="b", trigger={"type": "ONE_SHOT", "startAt": "2026-01-01T00:00:00"})
    rate = a_schedule(name="c", trigger={"type": "FIXED_RATE", "everySec": 60})
    delay = a_schedule(name="d", trigger={"type": "FIXED_DELAY", "delaySec": 60})
    event = a_schedule(name="e", trigger={"type": "EVENT", "subject": "topic.acme.x", "filter": {"/a": 1}})
    deliveries = [a_delivery(kind, name=kind, retry={}) for kind in ("EVENT", "HTTP", "QUEUE")]
    limited = {"name": "x", "rateLimit": {"count": 1, "perSec": 1}, "payloadSchema": {"type": "object"}}
    worker = await acme.post("/workers/register", json={"jobs": [{"name": "reports.daily"}], "slots": 1})
    beat = {"slots": 1, "running": []}
    answers: list[tuple[Json, httpx.Response]] = [
        (ScheduleOut, schedule),
        (ItemsOut[ScheduleOut], await acme.post("/schedules/batch", json=[shot, rate, delay, event, *deliveries])),
        (PageOut[ScheduleOut], await acme.get("/schedules")),
        (PageOut[ScheduleOut], await acme.get("/schedules?page=1")),
        (FiresOut, await acme.get(f"{place}/fires")),
        (PageOut[MissOut], await acme.get(f"{place}/misses")),
        (RunOut, await acme.post(f"{place}/trigger")),
        (RunOut, run := await acme.post("/runs", json={"job": "reports.daily", "payload": {"a": 1}})),
        (ItemsOut[RunOut], await acme.post("/runs/batch", json=[{"job": "reports.daily"}])),
        (PageOut[RunOut], await acme.get("/runs")),
        (RunOut, cancelled := await acme.post(f"/runs/{run.json()['id']}/cancel")),
        (RunOut, await acme.post(f"/runs/{cancelled.json()['id']}/retry")),
        (JobOut, await acme.get(f"/jobs/{job['id']}")),
        (JobOut, await acme.post("/jobs", json=limited)),
        (CalendarOut, calendar := await acme.post("/calendars", json={"name": "DE-BY"} | FULL)),
        (PageOut[CalendarOut], await acme.get("/calendars")),
        (CalendarOut, await acme.get(f"/calendars/{calendar.json()['id']}")),
        (DaysOut, await acme.get(f"/calendars/{calendar.json()['id']}/days")),
        (ImportedOut, await acme.post(f"/calendars/{calendar.json()['id']}/import", content=a_file())),
        (RegisteredOut, worker),
        (WorkerOut, await acme.get(f"/workers/{worker.json()['workerId']}")),
        (list[ControlOut], await acme.post(f"/workers/{job['id']}/heartbeat", json=beat)),
        (HealthOut, await acme.get("/health")),
        (ProblemOut, await acme.get("/runs?limit=0")),
        (ProblemOut, await acme.get("/nowhere")),
    ]

    for shape, answer in answers:
        TypeAdapter(shape).validate_json(answer.content, extra="forbid")
