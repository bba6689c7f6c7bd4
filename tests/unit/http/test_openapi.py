"""The OpenAPI document says what is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from jsonschema import Draft202012Validator
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
from rota.entrypoints.http.wire.schedules import ExplanationOut, FiresOut, MissOut, ScheduleOut
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
        kind, name = ref.removeprefix("#/components/").split("/")
        assert name in document["components"][kind]


async def test_it_is_the_same_in_both_places_and_names_both(served: Served, document: Json) -> None:
    async with served.client(None) as client:
        below = (await client.get("/openapi.json")).json()
        pages = await client.get("/docs")

    assert below == document
    assert [server["url"] for server in document["servers"]] == ["/api/v1", "/"]
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
    assert known.keys() == {("GET", "/ready"), ("GET", "/live")}


async def test_the_page_shows_all_of_it_and_needs_nothing_from_elsewhere(served: Served, document: Json) -> None:
    async with served.client(None) as client:
        page = (await client.get("/docs")).text

    for _, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!#|/api/v1/openapi.json")', page)


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, found in document["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path}", operation


async def test_everything_is_told_in_words(document: Json) -> None:
    for place, operation in operations(document):
        assert operation["summary"], place
        assert operation["description"], place
        assert all(parameter["description"] for parameter in operation["parameters"]), place
        for status, response in operation["responses"].items():
            assert "$ref" in response or response["description"], (place, status)
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} == tags.keys()


REFUSED = {
    "create_schedule": "400 401 403 408 409 413 422 503",
    "list_schedules": "400 401 403 422 503",
    "read_schedule": "400 401 403 404 422 503",
    "change_schedule": "400 401 403 404 408 409 412 413 422 503",
    "preview": "400 401 403 408 409 413 422 503",
    "read_health": "401 403 422 503",
    "is_ready": "422 503",
    "is_live": "422",
}


async def test_every_refusal_that_can_come_is_named(document: Json) -> None:
    known = {operation["operationId"]: operation["responses"] for _, operation in operations(document)}

    for name, statuses in REFUSED.items():
        assert {status for status in known[name] if status >= "400"} == set(statuses.split()), name


async def test_every_type_of_problem_is_listed_once(document: Json) -> None:
    """They are stable: programs tell refusals apart by them."""
    told = [
        kind
        for response in document["components"]["responses"].values()
        for kind in response["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"]
    ]

    assert len(told) == len(set(told))
    assert {kind.removeprefix("urn:rota:error:") for kind in told} >= {
        "unreadable", "unauthenticated", "forbidden", "not-found", "too-slow", "conflict", "name-taken", "job-in-use",
        "calendar-in-use", "overlap", "transition", "concurrent-change", "too-large", "invalid", "unavailable",
    }  # fmt: skip


async def test_headers_are_told(document: Json) -> None:
    made = document["paths"]["/schedules"]["post"]["responses"]["201"]["headers"]
    responses = document["components"]["responses"]

    assert (made["Location"]["required"], made["ETag"]["required"]) == (True, True)
    assert responses["Unavailable"]["headers"]["Retry-After"]["required"]
    assert responses["Unauthenticated"]["headers"]["WWW-Authenticate"]["required"]


async def test_every_body_has_an_example_that_is_valid(document: Json) -> None:
    for place, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["examples"], place
            whole = content["schema"] | {"components": document["components"]}
            for example in content["examples"].values():
                Draft202012Validator(whole).validate(example["value"])


async def test_bounds_are_said_in_the_words_of_json_schema(document: Json) -> None:
    """Validators in the wrong order make pydantic leave its own words there, and nobody sees the bounds."""
    schemas = document["components"]["schemas"]

    assert not {"ge", "le", "gt", "lt", "max_length"} & set(re.findall(r'"(\w+)":', json.dumps(schemas)))
    assert schemas["JobIn"]["properties"]["priority"] == {
        "type": "integer", "minimum": -100, "maximum": 100, "default": 0,
    }  # fmt: skip


async def test_a_patch_may_hold_every_field_but_needs_none(document: Json) -> None:
    schemas = document["components"]["schemas"]

    for name in ("Schedule", "Job", "Calendar"):
        assert schemas[f"{name}Patch"]["properties"].keys() == schemas[f"{name}In"]["properties"].keys()
        assert "required" not in schemas[f"{name}Patch"]
    assert {"type": "null"} in schemas["SchedulePatch"]["properties"]["misfire"]["anyOf"]
    assert schemas["SchedulePatch"]["properties"]["trigger"] == schemas["ScheduleIn"]["properties"]["trigger"]


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
        (ExplanationOut, await acme.get(f"{place}/explain", params={"at": "2026-03-29T01:00:00Z"})),
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
