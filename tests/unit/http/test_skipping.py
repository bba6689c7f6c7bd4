"""POST /schedules/{id}/skip"""

from __future__ import annotations

import httpx
import pytest
from pydantic import TypeAdapter
from tests.unit.http.conftest import Json, a_schedule, errors

from rota.entrypoints.http.wire.schedules import SkippedOut


@pytest.fixture
async def schedule(acme: httpx.AsyncClient, job: Json) -> Json:
    """Daily at nine; it is the first of January 2026, midnight."""
    return (await acme.post("/schedules", json=a_schedule())).json()


@pytest.mark.parametrize(
    ("body", "days", "left"),
    [
        (None, ["01"], "02"),
        ({}, ["01"], "02"),
        ({"count": 2, "reason": "inventory"}, ["01", "02"], "03"),
        ({"at": "2026-01-02T09:00:00Z"}, ["02"], "01"),
        ({"at": "2026-01-02T10:00:00+01:00"}, ["02"], "01"),
    ],
)
async def test_the_fires_are_told_and_have_their_runs(
    acme: httpx.AsyncClient, schedule: Json, body: Json, days: list[str], left: str
) -> None:
    said = {} if body is None else {"json": body}

    answer = await acme.post(f"/schedules/{schedule['id']}/skip", **said)

    runs = (await acme.get(f"/runs?scheduleId={schedule['id']}")).json()["items"]
    fires = (await acme.get(f"/schedules/{schedule['id']}/fires")).json()["fires"]
    instants = [f"2026-01-{day}T09:00:00Z" for day in days]
    assert answer.status_code == 200
    assert answer.json()["skipped"] == [{"scheduledFor": each, "dueAt": each} for each in instants]
    assert answer.json()["nextFireAt"] == f"2026-01-{left}T09:00:00Z"
    assert answer.headers["etag"] == '"1"'
    assert sorted(run["scheduledFor"] for run in runs) == instants
    assert {(run["state"], run["reason"]) for run in runs} == {("SKIPPED", (body or {}).get("reason", "SKIPPED"))}
    assert not {fire["at"] for fire in fires} & set(instants)
    TypeAdapter(SkippedOut).validate_json(answer.content, extra="forbid")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"count": True}, "count"),
        ({"at": "2026-01-02T09:00:00"}, "at"),
        ({"at": "2026-01-02T09:00:01Z"}, "at"),
        ({"at": "2025-12-31T09:00:00Z"}, "at"),
        ({"at": "2026-01-02T09:00:00Z", "count": 1}, "at"),
        ({"until": "2026-01-02T09:00:00Z"}, "until"),
        ({"reason": 7}, "reason"),
    ],
)
async def test_what_is_wrong_is_named(acme: httpx.AsyncClient, schedule: Json, body: Json, field: str) -> None:
    answer = await acme.post(f"/schedules/{schedule['id']}/skip", json=body)

    assert (answer.status_code, list(errors(answer))) == (422, [field])
    assert (await acme.get("/runs")).json()["items"] == []


async def test_of_a_disabled_one_nothing_comes(acme: httpx.AsyncClient, schedule: Json) -> None:
    await acme.post(f"/schedules/{schedule['id']}/disable")

    answer = await acme.post(f"/schedules/{schedule['id']}/skip")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rota:error:transition")


async def test_its_history_tells_of_it(acme: httpx.AsyncClient, schedule: Json) -> None:
    await acme.post(f"/schedules/{schedule['id']}/skip", json={"reason": "inventory"})

    events = (await acme.get(f"/schedules/{schedule['id']}/events")).json()["items"]

    (skipped,) = [event for event in events if event["type"] == "scheduler.schedule.skipped"]
    assert skipped["data"] == {
        "dueTimes": [{"scheduledFor": "2026-01-01T09:00:00Z", "dueAt": "2026-01-01T09:00:00Z"}],
        "nextFireAt": "2026-01-02T09:00:00Z",
        "reason": "inventory",
    }
