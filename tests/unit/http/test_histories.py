"""What happened to a run, and to a schedule."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

Json = dict[str, Any]  # Any: JSON


@pytest.fixture
async def run(acme: httpx.AsyncClient, job: Json) -> Json:
    made: Json = (await acme.post("/runs", json={"job": job["name"]})).json()
    await acme.post(f"/runs/{made['id']}/cancel", json={"reason": "no longer wanted"})
    return made


async def test_a_runs_history_is_its_events_oldest_first(acme: httpx.AsyncClient, run: Json) -> None:
    answer = (await acme.get(f"/runs/{run['id']}/events")).json()

    assert [event["type"] for event in answer["items"]] == ["scheduler.run.queued", "scheduler.run.cancelled"]
    assert [event["aggregateseq"] for event in answer["items"]] == [1, 2]
    assert {event["subject"] for event in answer["items"]} == {run["id"]}
    assert answer["items"][1]["data"]["reason"] == "no longer wanted"
    assert answer["nextCursor"] is None


async def test_a_history_is_read_on_behind_a_cursor(acme: httpx.AsyncClient, run: Json) -> None:
    first = (await acme.get(f"/runs/{run['id']}/events", params={"limit": 1})).json()
    rest = (await acme.get(f"/runs/{run['id']}/events", params={"cursor": first["nextCursor"]})).json()

    assert [event["aggregateseq"] for event in first["items"] + rest["items"]] == [1, 2]
    assert rest["nextCursor"] is None


@pytest.mark.parametrize("cursor", ["x", "bm8"])
async def test_a_cursor_that_no_list_answered_is_refused(acme: httpx.AsyncClient, run: Json, cursor: str) -> None:
    answer = await acme.get(f"/runs/{run['id']}/events", params={"cursor": cursor})

    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["cursor"]


async def test_another_tenants_history_is_unknown(globex: httpx.AsyncClient, run: Json) -> None:
    assert (await globex.get(f"/runs/{run['id']}/events")).status_code == 404


async def test_a_schedules_history_is_its_own(acme: httpx.AsyncClient, job: Json) -> None:
    trigger, target = {"type": "CRON", "cron": "0 9 * * *"}, {"kind": "JOB", "job": job["name"]}
    schedule = (await acme.post("/schedules", json={"name": "daily", "trigger": trigger, "target": target})).json()
    await acme.post(f"/schedules/{schedule['id']}/disable", json={"reason": "holidays"})

    answer = (await acme.get(f"/schedules/{schedule['id']}/events")).json()

    assert [event["type"] for event in answer["items"]] == ["scheduler.schedule.created", "scheduler.schedule.disabled"]
    assert answer["items"][0]["data"]["name"] == "daily"
