"""/schedules/{id}/backfill and /backfills"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.support.builders import HOUR, NOON
from tests.unit.http.conftest import Served, a_schedule, errors

from rota.application.backfill_once import BackfillOnce

FROM, TO = "2026-03-02T12:00:00Z", "2026-03-02T12:30:00Z"


@pytest.fixture
async def schedule(acme: httpx.AsyncClient, served: Served, job: Any) -> Any:
    """Minutely since noon, and it is one o'clock; disabled, so that nothing has run."""
    served.clock.set(NOON)
    rate = {"type": "FIXED_RATE", "everySec": 60, "anchorAt": FROM}
    made = (await acme.post("/schedules", json=a_schedule(trigger=rate, enabled=False))).json()
    served.clock.set(NOON + HOUR)
    return made


def path(schedule: Any) -> str:
    return f"/schedules/{schedule['id']}/backfill"


async def test_a_backfill_is_accepted_and_its_progress_is_told(
    acme: httpx.AsyncClient, served: Served, schedule: Any
) -> None:
    asked = await acme.post(path(schedule), json={"from": FROM, "to": TO, "maxConcurrent": 4})
    await served.services.bus.handle(BackfillOnce())
    told = (await acme.get(f"/backfills/{asked.json()['id']}")).json()

    assert (asked.status_code, asked.json()) == (202, {"id": told["id"], "count": 30})
    assert told == {
        "id": told["id"],
        "tenantId": "acme",
        "scheduleId": schedule["id"],
        "state": "RUNNING",
        "from": FROM,
        "to": TO,
        "maxConcurrent": 4,
        "count": 30,
        "made": 4,
        "unfinished": 4,
        "succeeded": 0,
        "dead": 0,
        "cancelled": 0,
        "reached": "2026-03-02T12:03:00Z",
        "reason": None,
        "createdAt": "2026-03-02T13:00:00Z",
        "finishedAt": None,
    }


async def test_its_runs_are_listed_by_their_cause(acme: httpx.AsyncClient, served: Served, schedule: Any) -> None:
    asked = (await acme.post(path(schedule), json={"from": FROM, "to": TO})).json()
    await served.services.bus.handle(BackfillOnce())

    runs = (await acme.get("/runs", params={"cause": "BACKFILL", "scheduleId": schedule["id"]})).json()["items"]

    assert len(runs) == 10
    assert {run["correlationId"] for run in runs} == {asked["id"]}


async def test_a_dry_run_counts_and_makes_nothing(acme: httpx.AsyncClient, served: Served, schedule: Any) -> None:
    would = await acme.post(path(schedule), json={"from": FROM, "to": TO, "dryRun": True})

    assert (would.status_code, would.json()) == (200, {"count": 30})
    assert await served.services.bus.handle(BackfillOnce()) == 0


async def test_it_is_cancelled_once(acme: httpx.AsyncClient, schedule: Any) -> None:
    asked = (await acme.post(path(schedule), json={"from": FROM, "to": TO})).json()

    first = await acme.post(f"/backfills/{asked['id']}/cancel", json={"reason": "enough"})
    second = await acme.post(f"/backfills/{asked['id']}/cancel")

    assert (first.status_code, first.json()["state"], first.json()["reason"]) == (202, "CANCELLED", "enough")
    assert second.status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"to": TO}, "from"),
        ({"from": FROM}, "to"),
        ({"from": TO, "to": FROM}, "to"),
        ({"from": FROM, "to": FROM}, "to"),
        ({"from": FROM, "to": "2026-03-02T13:00:01Z"}, "to"),
        ({"from": "2026-03-01T00:00:00Z", "to": FROM}, "to"),
        ({"from": "2026-03-02T12:00:00", "to": TO}, "from"),
        ({"from": FROM, "to": TO, "maxConcurrent": 0}, "maxConcurrent"),
        ({"from": FROM, "to": TO, "maxConcurrent": 1001}, "maxConcurrent"),
        ({"from": FROM, "to": TO, "maxConcurrent": "2"}, "maxConcurrent"),
        ({"from": FROM, "to": TO, "dryRun": 1}, "dryRun"),
        ({"from": FROM, "to": TO, "until": TO}, "until"),
    ],
)
async def test_what_is_wrong_is_named(acme: httpx.AsyncClient, schedule: Any, body: Any, field: str) -> None:
    answer = await acme.post(path(schedule), json=body)

    assert answer.status_code == 422
    assert list(errors(answer)) == [field]


async def test_ten_years_of_a_schedule_of_seconds_are_too_many(
    acme: httpx.AsyncClient, served: Served, job: Any
) -> None:
    served.clock.set(NOON)
    rate = {"type": "FIXED_RATE", "everySec": 1}
    made = (await acme.post("/schedules", json=a_schedule(trigger=rate))).json()
    served.clock.set(NOON.replace(year=2036))

    answer = await acme.post(path(made), json={"from": FROM, "to": "2036-03-02T12:00:00Z", "dryRun": True})

    assert answer.status_code == 422
    assert errors(answer) == {"from": "there are more than 100,000 due times from here to there: ask for less at once"}


@pytest.mark.parametrize(
    "trigger", [{"type": "FIXED_DELAY", "delaySec": 60}, {"type": "EVENT", "subject": "scheduler.run.succeeded.acme"}]
)
async def test_where_no_clock_tells_the_due_times_there_is_none(
    acme: httpx.AsyncClient, served: Served, job: Any, trigger: Any
) -> None:
    served.clock.set(NOON)
    made = (await acme.post("/schedules", json=a_schedule(trigger=trigger, enabled=False))).json()
    served.clock.set(NOON + HOUR)

    answer = await acme.post(path(made), json={"from": FROM, "to": TO})

    assert answer.status_code == 409
    assert trigger["type"] in answer.json()["detail"]


async def test_others_see_nothing_of_it(acme: httpx.AsyncClient, globex: httpx.AsyncClient, schedule: Any) -> None:
    asked = (await acme.post(path(schedule), json={"from": FROM, "to": TO})).json()

    assert (await globex.post(path(schedule), json={"from": FROM, "to": TO})).status_code == 404
    assert (await globex.get(f"/backfills/{asked['id']}")).status_code == 404
    assert (await globex.post(f"/backfills/{asked['id']}/cancel")).status_code == 404


async def test_asking_takes_an_operator(served: Served, acme: httpx.AsyncClient, schedule: Any) -> None:
    async with served.client("acme:read") as reader, served.client("acme:operate") as operator:
        assert (await reader.post(path(schedule), json={"from": FROM, "to": TO})).status_code == 403
        asked = await operator.post(path(schedule), json={"from": FROM, "to": TO})
        assert asked.status_code == 202
        assert (await reader.post(f"/backfills/{asked.json()['id']}/cancel")).status_code == 403
        assert (await reader.get(f"/backfills/{asked.json()['id']}")).status_code == 200
