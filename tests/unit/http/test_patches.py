"""PATCH: RFC 7396, where null is a field's default, and `trigger` and `target` are replaced whole."""

from __future__ import annotations

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_schedule, errors


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
        ({"overlap": None, "calendar": None, "jitterSec": 0}, {}),
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
        ({"overlap": "SKIP"}, {"overlap"}),
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


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"name": "other"}, "name"),
        ({"retry": {"backoff": {"factor": 0}}}, "retry.backoff.factor"),
        ({"retry": {"backoff": {"speed": None}}}, "retry.backoff.speed"),
        ({"priority": 5}, "priority"),
    ],
)
async def test_a_bad_patch_of_a_job_is_refused(acme: httpx.AsyncClient, job: Json, patch: Json, field: str) -> None:
    answer = await acme.patch(f"/jobs/{job['id']}", json=patch)

    assert (answer.status_code, list(errors(answer))) == (422, [field])


async def test_a_patch_of_nothing_is_not_found(served: Served, acme: httpx.AsyncClient) -> None:
    answer = await acme.patch("/schedules/01890a5d-ac96-774b-bcce-b302099a8057", json={"bogus": 1})

    assert answer.status_code == 404
