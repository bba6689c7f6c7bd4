"""`rota schedules`: their fires."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, Served, a_schedule

from rota.entrypoints.http.server import HttpServer


@pytest.fixture
async def acme(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with served.client() as client:
        await client.post("/jobs", json={"name": "reports.daily"})
        yield client


@pytest.fixture
async def schedule(acme: httpx.AsyncClient) -> Json:
    return (await acme.post("/schedules", json=a_schedule())).json()


@asynccontextmanager
async def answering(answer: Json) -> AsyncIterator[tuple[str, list[Request]]]:
    """A server that gives one answer to whatever it is asked; its address, and what it was asked."""
    asked: list[Request] = []
    stub = FastAPI()

    @stub.api_route("/{path:path}", methods=["GET", "POST"])
    async def reply(request: Request) -> Json:
        await request.body()
        asked.append(request)
        return answer

    server = HttpServer("127.0.0.1", 0)
    serving = asyncio.create_task(server.run(stub))
    try:
        yield await server.listening(), asked
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        server.close()


class TestEnabling:
    async def test_a_schedule_rests_and_goes_on(
        self, acme: httpx.AsyncClient, terminal: Terminal, schedule: Json
    ) -> None:
        rests = await terminal.run("schedules", "disable", "daily", "--reason", "holidays")
        resting = (await acme.get(f"/schedules/{schedule['id']}")).json()
        goes = await terminal.run("schedules", "enable", "daily")
        going = await terminal.json("schedules", "enable", schedule["id"])

        assert (rests.stdout, resting["enabled"]) == ("daily is disabled\n", False)
        assert (goes.stdout, going["enabled"]) == ("daily is enabled, fires next 2026-01-01T09:00:00Z\n", True)

    async def test_it_may_go_on_by_itself(self, terminal: Terminal, schedule: Json) -> None:
        rests = await terminal.json("schedules", "disable", "daily", "--until", "2026-01-05T00:00:00Z")
        goes = await terminal.json("schedules", "enable", "daily", "--catch-up", "LAST")

        assert (rests["enabled"], rests["disabledUntil"]) == (False, "2026-01-05T00:00:00Z")
        assert (goes["enabled"], goes["disabledUntil"]) == (True, None)

    async def test_what_it_is_to_catch_up_with_and_until_when_it_rests_are_said_to_the_server(
        self, schedule: Json, terminal: Terminal
    ) -> None:
        async with answering(schedule) as (url, asked):
            await terminal.run("schedules", "enable", schedule["id"], "--catch-up", "LAST", ROTA_URL=url)
            await terminal.run("schedules", "disable", schedule["id"], "--until", "2030-01-01T00:00:00Z", ROTA_URL=url)

        assert [await each.json() for each in asked] == [
            {"catchUp": "LAST"},
            {"until": "2030-01-01T00:00:00Z"},
        ]

    async def test_what_the_server_refuses_of_it_is_named(self, terminal: Terminal, schedule: Json) -> None:
        assert "catchUp: " in await terminal.failure("schedules", "enable", "daily", "--catch-up", "SOME")
        assert "until: " in await terminal.failure("schedules", "disable", "daily", "--until", "later")


class TestSkipping:
    async def test_the_next_ones(self, terminal: Terminal, schedule: Json) -> None:
        said = (await terminal.run("schedules", "skip", "daily", "--count", "2", "--reason", "holidays")).stdout

        assert said.splitlines() == [
            "skipped 2026-01-01T09:00:00Z",
            "skipped 2026-01-02T09:00:00Z",
            "daily fires next 2026-01-03T09:00:00Z",
        ]

    async def test_a_given_one(self, terminal: Terminal, schedule: Json) -> None:
        told = await terminal.json("schedules", "skip", "daily", "--at", "2026-01-02T09:00:00Z")

        assert [due["dueAt"] for due in told["skipped"]] == ["2026-01-02T09:00:00Z"]
        assert told["nextFireAt"] == "2026-01-01T09:00:00Z"

    async def test_not_both(self, terminal: Terminal, schedule: Json) -> None:
        words = ("--count", "1", "--at", "2026-01-02T09:00:00Z")

        assert "at: either this or count" in await terminal.failure("schedules", "skip", "daily", *words)


async def test_one_is_fired_now(acme: httpx.AsyncClient, terminal: Terminal, schedule: Json) -> None:
    run_id = (await terminal.run("schedules", "trigger", "daily")).stdout.strip()
    told = await terminal.json("schedules", "trigger", "daily", "--payload", '{"kind": "full"}')

    run = (await acme.get(f"/runs/{run_id}")).json()
    assert (run["cause"], run["scheduleId"]) == ("MANUAL", schedule["id"])
    assert told["payload"] == {"kind": "full"}
    assert "--payload: not JSON" in await terminal.failure("schedules", "trigger", "daily", "--payload", "{")


async def test_the_next_fires_are_shown(terminal: Terminal, acme: httpx.AsyncClient) -> None:
    await acme.post("/schedules", json=a_schedule(name="Berlin", tz="Europe/Berlin"))

    table = (await terminal.run("schedules", "fires", "Berlin", "--count", "2")).stdout.splitlines()
    told = await terminal.json("schedules", "fires", "Berlin", "--from", "2026-07-01T00:00:00Z", "--count", "1")

    assert [line.split()[1:] for line in table[1:]] == [
        ["2026-01-01T09:00:00+01:00", "2026-01-01T08:00:00Z"],
        ["2026-01-02T09:00:00+01:00", "2026-01-02T08:00:00Z"],
    ]
    assert [fire["at"] for fire in told["fires"]] == ["2026-07-01T07:00:00Z"]


async def test_misses_are_shown(terminal: Terminal, schedule: Json) -> None:
    miss = {
        "first": "2026-01-01T09:00:00Z", "last": "2026-01-03T09:00:00Z", "count": 3, "rule": "SKIP",
        "decidedAt": "2026-01-04T00:00:00Z",
    }  # fmt: skip
    none = await terminal.json("schedules", "misses", "daily")

    async with answering({"items": [miss], "nextCursor": None}) as (url, asked):
        table = (await terminal.run("schedules", "misses", schedule["id"], ROTA_URL=url)).stdout

    assert none == {"items": [], "nextCursor": None}
    assert table.splitlines()[1].split() == [
        "2026-01-01T09:00:00Z", "2026-01-03T09:00:00Z", "3", "2026-01-04T00:00:00Z", "SKIP",
    ]  # fmt: skip
    assert asked[0].url.path == f"/api/v1/schedules/{schedule['id']}/misses"


async def test_an_instant_is_explained(terminal: Terminal, schedule: Json) -> None:
    answer = {
        "at": "2026-03-29T01:00:00Z",
        "scheduledFor": "2026-03-29T01:00:00Z",
        "dueAt": "2026-03-29T01:00:00Z",
        "items": [
            {"rule": "CLOCK_CHANGE", "outcome": "MOVE", "detail": "02:30 does not exist; moved to 03:00"},
            {"rule": "RESULT", "outcome": "WILL_FIRE", "detail": "it will fire"},
        ],
    }

    async with answering(answer) as (url, asked):
        words = ("schedules", "explain", schedule["id"], "--at", "2026-03-29T03:00:00+02:00")
        lines = (await terminal.run(*words, ROTA_URL=url)).stdout.splitlines()

    assert [line.split()[:2] for line in lines[1:]] == [["CLOCK_CHANGE", "MOVE"], ["RESULT", "WILL_FIRE"]]
    assert "moved to 03:00" in lines[1]
    assert asked[0].url.path == f"/api/v1/schedules/{schedule['id']}/explain"
    assert asked[0].query_params["at"] == "2026-03-29T03:00:00+02:00"


class TestWatching:
    async def test_each_state_of_its_runs_is_told_until_enough_have_ended(
        self, acme: httpx.AsyncClient, terminal: Terminal, schedule: Json
    ) -> None:
        run = (await acme.post(f"/schedules/{schedule['id']}/trigger")).json()
        watching = asyncio.create_task(terminal.run("schedules", "watch", "daily", "--count", "1"))
        await acme.post(f"/runs/{run['id']}/cancel", json={"reason": "enough"})

        told = await watching

        assert told.exit_code == 0, told.output
        assert f"{run['id']} CANCELLED enough" in told.stdout.splitlines()[-1]

    async def test_as_json_too(self, terminal: Terminal, schedule: Json) -> None:
        over = {"id": "01890a5d-ac96-774b-bcce-b302099a8057", "state": "SUCCEEDED", "cause": "MANUAL"}

        async with answering({"items": [over]}) as (url, _):
            told = await terminal.run("schedules", "watch", schedule["id"], "--count", "1", "--json", ROTA_URL=url)

        assert told.stdout.count("\n") == 1
        assert '"state":"SUCCEEDED"' in told.stdout
