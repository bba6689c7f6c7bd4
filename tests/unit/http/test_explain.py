"""Why a schedule did or will fire at an instant, over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.unit.http.conftest import Served, a_schedule, errors

Json = dict[str, Any]  # Any: JSON

DUE = "2026-01-01T09:00:00Z"


@pytest.fixture
async def schedule(acme: httpx.AsyncClient, job: Json) -> Json:
    """Daily at nine, UTC, made on 1 January 2026."""
    made: Json = (await acme.post("/schedules", json=a_schedule())).json()
    return made


async def test_each_rule_is_told_in_order(acme: httpx.AsyncClient, schedule: Json) -> None:
    answer = await acme.get(f"/schedules/{schedule['id']}/explain", params={"at": DUE})

    assert answer.status_code == 200
    assert answer.json() == {
        "at": DUE,
        "scheduledFor": DUE,
        "dueAt": DUE,
        "items": [
            {
                "rule": "DEFINITION",
                "outcome": "PASS",
                "detail": "version 1, in force from 2026-01-01T00:00:00Z",
            },
            {"rule": "TRIGGER", "outcome": "PASS", "detail": "'0 9 * * *' matches 2026-01-01 09:00:00 in UTC"},
            {"rule": "CLOCK_CHANGE", "outcome": "PASS", "detail": "2026-01-01 09:00:00 is read once in UTC"},
            {"rule": "ENABLED", "outcome": "PASS", "detail": "enabled"},
            {"rule": "RESULT", "outcome": "WILL_FIRE", "detail": f"fires at {DUE}, in 9 h"},
        ],
    }


async def test_an_instant_may_be_said_with_any_offset(acme: httpx.AsyncClient, schedule: Json) -> None:
    answer = await acme.get(f"/schedules/{schedule['id']}/explain", params={"at": "2026-01-01T10:00:00+01:00"})

    assert answer.json()["at"] == DUE


async def test_what_is_no_due_time_has_none(acme: httpx.AsyncClient, schedule: Json) -> None:
    answer = (await acme.get(f"/schedules/{schedule['id']}/explain", params={"at": "2026-01-01T09:00:01Z"})).json()

    assert (answer["scheduledFor"], answer["dueAt"]) == (None, None)
    assert [item["outcome"] for item in answer["items"]] == ["PASS", "STOP", "WILL_NOT_FIRE"]


@pytest.mark.parametrize(
    "at", ["", "x", "2026-01-01", "2026-01-01T09:00:00", "2026-02-30T09:00:00Z", "1969-01-01T00:00:00Z"]
)
async def test_a_bad_instant_is_named(acme: httpx.AsyncClient, schedule: Json, at: str) -> None:
    answer = await acme.get(f"/schedules/{schedule['id']}/explain", params={"at": at})

    assert (answer.status_code, list(errors(answer))) == (422, ["at"])


async def test_the_instant_is_needed_and_nothing_else_is_known(acme: httpx.AsyncClient, schedule: Json) -> None:
    without = await acme.get(f"/schedules/{schedule['id']}/explain")
    unknown = await acme.get(f"/schedules/{schedule['id']}/explain", params={"at": DUE, "when": DUE})
    twice = await acme.get(f"/schedules/{schedule['id']}/explain", params={"at": [DUE, DUE]})

    assert (without.status_code, list(errors(without))) == (422, ["at"])
    assert (unknown.status_code, list(errors(unknown))) == (422, ["when"])
    assert (twice.status_code, list(errors(twice))) == (422, ["at"])


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "9997-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize(
    "trigger",
    [
        {"type": "CRON", "cron": "0 0 29 2 1"},
        {"type": "RRULE", "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"},
        {"type": "FIXED_RATE", "everySec": 3_000_000_000},
        {"type": "FIXED_RATE", "everySec": 1, "anchorAt": "1970-01-01T00:00:00Z"},
        {"type": "ONE_SHOT", "startAt": "9997-12-31T23:59:59"},
        {"type": "FIXED_DELAY", "delaySec": 5},
        {"type": "EVENT", "subject": "topic.acme.x"},
    ],
)
async def test_the_ends_of_time_can_be_asked_about(acme: httpx.AsyncClient, job: Json, at: str, trigger: Json) -> None:
    made = (await acme.post("/schedules", json=a_schedule(trigger=trigger, tz="Pacific/Apia"))).json()

    assert (await acme.get(f"/schedules/{made['id']}/explain", params={"at": at})).status_code == 200


async def test_what_is_unknown_or_anothers_is_not_found(
    served: Served, acme: httpx.AsyncClient, globex: httpx.AsyncClient, schedule: Json
) -> None:
    unknown = await acme.get(f"/schedules/{UUID(int=7)}/explain", params={"at": DUE})
    foreign = await globex.get(f"/schedules/{schedule['id']}/explain", params={"at": DUE})

    assert (unknown.status_code, foreign.status_code) == (404, 404)


async def test_who_may_read_may_ask(served: Served, schedule: Json) -> None:
    async with served.client("acme:read") as reader:
        assert (await reader.get(f"/schedules/{schedule['id']}/explain", params={"at": DUE})).status_code == 200
