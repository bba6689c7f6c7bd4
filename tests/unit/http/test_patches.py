"""PATCH: RFC 7396, where null is a field's default, and `trigger` and `target` are replaced whole."""

from __future__ import annotations

import httpx
import pytest
from tests.unit.http.conftest import TARGETS, Json, Served, a_delivery, a_schedule, errors


@pytest.fixture
async def schedule(acme: httpx.AsyncClient, job: Json) -> Json:
    said = a_schedule(
        description="each day",
        labels={"team": "bi", "tier": "1"},
        misfire={"policy": "SKIP", "graceSec": 5, "catchupWindowSec": 60},
        target={"kind": "JOB", "job": "reports.daily", "payload": {"a": 1, "b": 2}},
        maxRuns=7,
    )
    return (await acme.post("/schedules", json=said)).json()


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"description": "each night"}, {"description": "each night"}),
        ({"description": None}, {"description": ""}),
        ({"maxRuns": None}, {"maxRuns": None}),
        ({"tz": None}, {"tz": "Europe/Berlin"}),
        ({"labels": {"team": None, "owner": "ann"}}, {"labels": {"tier": "1", "owner": "ann"}}),
        ({"labels": None}, {"labels": {}}),
        ({"misfire": {"graceSec": 9}}, {"misfire": {"policy": "SKIP", "graceSec": 9, "catchupWindowSec": 60}}),
        ({"misfire": {"policy": None}}, {"misfire": {"policy": "FIRE_ONCE", "graceSec": 5, "catchupWindowSec": 60}}),
        ({"misfire": None}, {"misfire": {"policy": "FIRE_ONCE", "graceSec": 30, "catchupWindowSec": None}}),
        (
            {"trigger": {"type": "FIXED_RATE", "everySec": 60}},
            {"trigger": {"type": "FIXED_RATE", "everySec": 60, "anchorAt": None}},
        ),
        (
            {"target": {"kind": "JOB", "job": "reports.daily"}},
            {"target": {"kind": "JOB", "job": "reports.daily", "payload": None}},
        ),
        (
            {"target": {"kind": "JOB", "job": "reports.daily", "payload": {"a": None}}},
            {"target": {"kind": "JOB", "job": "reports.daily", "payload": {"a": None}}},
        ),
        ({"enabled": False}, {"enabled": False}),
        ({"overlap": "QUEUE_ONE", "priority": 7}, {"overlap": "QUEUE_ONE", "priority": 7}),
        ({"overlap": None, "priority": None, "retry": None, "timeoutSec": None}, {}),
        ({"calendar": None, "jitterSec": 0}, {}),
        ({"tenantId": "acme"}, {}),
    ],
)
async def test_what_is_said_changes_and_the_rest_stays(
    acme: httpx.AsyncClient, schedule: Json, patch: Json, changed: Json
) -> None:
    answer = await acme.patch(f"/schedules/{schedule['id']}", json=patch)

    moving = {"version", "updatedAt", "nextFireAt"}
    assert answer.status_code == 200
    assert {k: v for k, v in answer.json().items() if k not in moving} == {
        k: v for k, v in (schedule | changed).items() if k not in moving
    }
    assert answer.json()["version"] == (2 if changed else 1)
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({"bogus": 1}, {"bogus"}),
        ({"bogus": None}, {"bogus"}),
        ({"misfire": {"bogus": None}}, {"misfire.bogus"}),
        ({"misfire": {"graceSec": -1}}, {"misfire.graceSec"}),
        ({"misfire": "SKIP"}, {"misfire"}),
        ({"name": None}, {"name"}),
        ({"name": {"first": "x"}}, {"name"}),
        ({"trigger": None, "target": None}, {"trigger", "target"}),
        ({"trigger": {"cron": "0 9 * * *"}}, {"trigger.type"}),
        ({"trigger": {"type": "CRON", "cron": "x"}}, {"trigger.cron"}),
        ({"target": {"kind": "JOB", "job": "no"}}, {"target.job"}),
        ({"tz": "Nowhere"}, {"tz"}),
        ({"overlap": "NEVER"}, {"overlap"}),
        ({"priority": 101}, {"priority"}),
        ({"retry": {"maxAttempts": 1}, "timeoutSec": 5}, {"retry", "timeoutSec"}),
        ({"retry": {"maxAttempts": 0}}, {"retry.maxAttempts"}),
        ({"target": {"kind": "HTTP", "http": {"url": "ftp://x"}}}, {"target.http.url"}),
        ({"trigger": {"type": "EVENT", "subject": "topic.globex.orders"}}, {"trigger.subject"}),
        ({"id": "x", "version": 3}, {"id", "version"}),
        ({"tenantId": 5}, {"tenantId"}),
        ([], {""}),
        ("x", {""}),
    ],
)
async def test_a_bad_patch_is_refused_and_changes_nothing(
    acme: httpx.AsyncClient, schedule: Json, patch: Json, fields: set[str]
) -> None:
    answer = await acme.patch(f"/schedules/{schedule['id']}", json=patch)

    assert (answer.status_code, set(errors(answer))) == (422, fields)
    assert (await acme.get(f"/schedules/{schedule['id']}")).json() == schedule


@pytest.fixture
async def hook(acme: httpx.AsyncClient) -> Json:
    """A schedule with an HTTP target."""
    return (await acme.post("/schedules", json=a_delivery("HTTP", retry={"maxAttempts": 9}))).json()


async def test_terms_of_a_delivery_are_merged(acme: httpx.AsyncClient, hook: Json) -> None:
    place = f"/schedules/{hook['id']}"

    changed = (await acme.patch(place, json={"retry": {"notOn": ["HttpTls"]}, "timeoutSec": 9})).json()
    back = (await acme.patch(place, json={"retry": None, "timeoutSec": None})).json()

    assert changed["retry"] == hook["retry"] | {"notOn": ["HttpTls"]}
    assert (changed["timeoutSec"], changed["target"]["http"]["timeoutSec"]) == (9, 9)
    assert (back["retry"]["maxAttempts"], back["retry"]["notOn"], back["timeoutSec"]) == (3, [], 30)
    assert back["target"]["http"] == TARGETS["HTTP"]["http"] | {"timeoutSec": 30}


async def test_a_new_receiver_keeps_the_terms_that_it_does_not_name(acme: httpx.AsyncClient, hook: Json) -> None:
    place = f"/schedules/{hook['id']}"

    queue = (await acme.patch(place, json={"target": TARGETS["QUEUE"]})).json()
    http = (await acme.patch(place, json={"target": TARGETS["HTTP"]})).json()

    assert (queue["target"], queue["timeoutSec"]) == (TARGETS["QUEUE"], 2.5)
    assert queue["retry"] == http["retry"] == hook["retry"]
    assert http["target"] == hook["target"]


async def test_a_job_in_a_deliverys_place_has_terms_of_its_own(acme: httpx.AsyncClient, job: Json, hook: Json) -> None:
    answer = await acme.patch(f"/schedules/{hook['id']}", json={"target": {"kind": "JOB", "job": "reports.daily"}})

    assert answer.status_code == 200, answer.text
    assert (answer.json()["retry"], answer.json()["timeoutSec"]) == (None, None)
    assert answer.json()["target"]["kind"] == "JOB"


async def test_a_delivery_in_a_jobs_place_has_terms_too(acme: httpx.AsyncClient, schedule: Json) -> None:
    patch = {"target": TARGETS["EVENT"], "retry": {"maxAttempts": 2}}

    answer = await acme.patch(f"/schedules/{schedule['id']}", json=patch)

    assert answer.json()["target"] == TARGETS["EVENT"]
    assert (answer.json()["retry"]["maxAttempts"], answer.json()["timeoutSec"]) == (2, 30)


async def test_a_taken_name_is_a_conflict(acme: httpx.AsyncClient, schedule: Json) -> None:
    await acme.post("/schedules", json=a_schedule(name="other"))

    answer = await acme.patch(f"/schedules/{schedule['id']}", json={"name": "other"})

    assert answer.status_code == 409


async def test_a_job_is_patched_alike(acme: httpx.AsyncClient, job: Json) -> None:
    place = f"/jobs/{job['id']}"

    changed = await acme.patch(place, json={"retry": {"backoff": {"kind": "FIXED"}}, "timeoutSec": 1.5})
    back = await acme.patch(place, json={"retry": None, "timeoutSec": None})

    assert changed.json()["retry"] == job["retry"] | {"backoff": job["retry"]["backoff"] | {"kind": "FIXED"}}
    assert (changed.json()["timeoutSec"], changed.headers["etag"]) == (1.5, '"2"')
    assert (back.json()["retry"], back.json()["timeoutSec"]) == (job["retry"], 300)


async def test_limits_of_a_job_come_change_and_go(acme: httpx.AsyncClient, job: Json) -> None:
    place = f"/jobs/{job['id']}"
    limits = {
        "rateLimit": {"count": 5, "perSec": 1},
        "maxConcurrent": 2,
        "concurrencyKey": "/a",
        "deadlineSec": 9,
        "priority": 4,
        "payloadSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
    }

    come = (await acme.patch(place, json=limits)).json()
    changed = (await acme.patch(place, json={"rateLimit": {"count": 6}, "retry": {"notOn": ["KeyError"]}})).json()
    merged = (await acme.patch(place, json={"payloadSchema": {"properties": {"b": True}}})).json()
    gone = (await acme.patch(place, json=dict.fromkeys([*limits, "retry"]))).json()

    moving = {"version", "updatedAt"}
    assert come == come | limits
    assert (changed["rateLimit"], changed["retry"]["notOn"]) == ({"count": 6, "perSec": 1}, ["KeyError"])
    assert merged["payloadSchema"]["properties"] == {"a": {"type": "string"}, "b": True}
    assert {k: v for k, v in gone.items() if k not in moving} == {k: v for k, v in job.items() if k not in moving}


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"name": "other"}, "name"),
        ({"retry": {"backoff": {"factor": 0}}}, "retry.backoff.factor"),
        ({"retry": {"backoff": {"speed": None}}}, "retry.backoff.speed"),
        ({"priority": 500}, "priority"),
        ({"rateLimit": {"count": 5}}, "rateLimit.perSec"),
        ({"rateLimit": {"burst": None}}, "rateLimit.burst"),
        ({"retry": {"notOn": [5]}}, "retry.notOn.0"),
        ({"payloadSchema": {"type": 5}}, "payloadSchema.type"),
        ({"payloadSchema": {"$ref": "https://example.com/schema"}}, "payloadSchema.$ref"),
    ],
)
async def test_a_bad_patch_of_a_job_is_refused_and_changes_nothing(
    acme: httpx.AsyncClient, job: Json, patch: Json, field: str
) -> None:
    answer = await acme.patch(f"/jobs/{job['id']}", json=patch)

    assert answer.status_code == 422
    assert errors(answer).keys() >= {field}
    assert (await acme.get(f"/jobs/{job['id']}")).json() == job


async def test_a_patch_of_nothing_is_not_found(served: Served, acme: httpx.AsyncClient) -> None:
    answer = await acme.patch("/schedules/01890a5d-ac96-774b-bcce-b302099a8057", json={"bogus": 1})

    assert answer.status_code == 404
