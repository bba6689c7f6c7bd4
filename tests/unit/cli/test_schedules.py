"""`rota schedules`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Served, a_schedule

Json = Any  # JSON


@pytest.fixture
async def schedule(served: Served) -> Json:
    async with served.client() as acme:
        await acme.post("/jobs", json={"name": "reports.daily"})
        made = await acme.post("/schedules", json=a_schedule(tz="Europe/Berlin", trigger=HALF_PAST_TWO))
    return made.json()


HALF_PAST_TWO = {"type": "CRON", "cron": "30 2 * * *"}
AFTER_THE_GAP = "2026-03-29T03:00:00+02:00"


async def test_an_instant_is_explained(terminal: Terminal, schedule: Json) -> None:
    lines = (await terminal.run("schedules", "explain", schedule["id"], "--at", AFTER_THE_GAP)).stdout
    told = await terminal.json("schedules", "explain", schedule["id"], "--at", AFTER_THE_GAP)

    assert [line.split()[:2] for line in lines.splitlines()] == [
        ["rule", "outcome"],
        ["DEFINITION", "PASS"],
        ["TRIGGER", "PASS"],
        ["CLOCK_CHANGE", "MOVE"],
        ["ENABLED", "PASS"],
        ["RESULT", "WILL_FIRE"],
    ]
    assert "gap policy NEXT_VALID moves it to 03:00:00" in lines
    assert told["at"] == "2026-03-29T01:00:00Z"
    assert [step["outcome"] for step in told["items"]] == ["PASS", "PASS", "MOVE", "PASS", "WILL_FIRE"]


async def test_what_the_server_refuses_is_told_in_one_line(terminal: Terminal, schedule: Json) -> None:
    assert "at: " in await terminal.failure("schedules", "explain", schedule["id"], "--at", "yesterday")
    assert "no such schedule" in await terminal.failure(
        "schedules", "explain", schedule["id"][:-1] + "0", "--at", AFTER_THE_GAP
    )
