"""`rota runs`"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from tests.support.ended import ended, keep
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, Served

from rota.application.redrive_once import RedriveOnce
from rota.domain.attempt import RunError
from rota.domain.ids import TenantId, WorkerId
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.infrastructure.memory.store import InMemoryBegin

SOMEBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


async def dead(served: Served, count: int = 1, message: str = "no such report") -> list[Run]:
    async with InMemoryBegin(served.store)() as work:
        of = (await work.jobs.named(TenantId("acme"), {"reports.daily"}))["reports.daily"]
    runs = [ended(RunState.DEAD, served.clock.now(), job=of, message=message) for _ in range(count)]
    await keep(InMemoryBegin(served.store), *runs)
    return runs


@asynccontextmanager
async def leading(served: Served, *, are_dying: bool = False) -> AsyncIterator[None]:
    """Somebody makes the runs of redrives, a second at a time; the new ones may all die at once."""

    async def lead() -> None:
        while True:
            served.clock.advance(timedelta(seconds=1))
            await served.services.bus.handle(RedriveOnce())
            if are_dying:
                await _kill_waiting(served)
            await asyncio.sleep(0.01)

    leader = asyncio.create_task(lead())
    try:
        yield
    finally:
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)


async def _kill_waiting(served: Served) -> None:
    waiting = [key for key, run in served.store.tables.unfinished.items() if run.state is RunState.PENDING]
    now = served.clock.now()
    async with InMemoryBegin(served.store)() as work:
        for run in (await work.runs.load(waiting)).values():
            run.go(now)
            run.start(WorkerId(run.id), 1, now)
            run.fail(RunError("ValueError", "again"), now, retryable=False)
        await work.commit()


async def test_runs_are_listed(acme: httpx.AsyncClient, terminal: Terminal, job: Json) -> None:
    run = (await acme.post("/runs", json={"job": "reports.daily", "labels": {"team": "bi"}})).json()

    table = (await terminal.run("runs", "list")).stdout
    found = await terminal.json("runs", "list", "--job", "reports.daily", "--label", "team:bi", "--cause", "API")
    none = await terminal.json("runs", "list", "--state", "DEAD", "--state", "CANCELLED")

    assert run["id"] in table
    assert "reports.daily" in table
    assert [item["id"] for item in found["items"]] == [run["id"]]
    assert found["items"][0]["scheduledFor"] == run["scheduledFor"]
    assert none == {"items": [], "nextCursor": None}


async def test_one_is_shown_with_its_attempts(served: Served, terminal: Terminal, job: Json) -> None:
    (run,) = await dead(served)

    shown = (await terminal.run("runs", "show", str(run.id))).stdout
    told = await terminal.json("runs", "show", str(run.id))

    assert "DEAD" in shown
    assert "FAILED ValueError: no such report" in shown
    assert (told["id"], told["attempts"][0]["outcome"]) == (str(run.id), "FAILED")


async def test_one_is_cancelled(acme: httpx.AsyncClient, terminal: Terminal, job: Json) -> None:
    run = (await acme.post("/runs", json={"job": "reports.daily", "runAt": "2030-01-01T00:00:00Z"})).json()

    told = await terminal.json("runs", "cancel", run["id"], "--reason", "a mistake")

    assert (told["state"], told["reason"]) == ("CANCELLED", "a mistake")


async def test_one_is_retried_with_another_payload(served: Served, terminal: Terminal, job: Json) -> None:
    (run,) = await dead(served)

    made = await terminal.json("runs", "retry", str(run.id), "--payload", '{"kind": "full"}')
    again = await terminal.run("runs", "retry", str(run.id))

    assert (made["retryOf"], made["payload"]) == (str(run.id), {"kind": "full"})
    assert again.stdout.strip() not in ("", made["id"])


async def test_dead_letters_are_shown_in_groups(served: Served, terminal: Terminal, job: Json) -> None:
    await dead(served, 3, "no such report: [17]")
    await dead(served, 1, "rare")

    table = (await terminal.run("runs", "dead")).stdout
    told = await terminal.json("runs", "dead", "--limit", "1")

    assert "ValueError: no such report: [17]" in table
    assert [(item["count"], item["message"]) for item in told["items"]] == [(3, "no such report: [17]")]
    assert told["nextCursor"] is not None


async def test_what_others_wrote_does_nothing_to_the_terminal(served: Served, terminal: Terminal, job: Json) -> None:
    (run,) = await dead(served, 1, "[bold]\x1b[31mred\x07")

    shown = [await terminal.run("runs", *words) for words in (("dead",), ("list",), ("show", str(run.id)))]

    for result in shown:
        assert "[bold] [31mred" in result.stdout
        assert not {"\x1b", "\x07"} & set(result.stdout)


class TestRedrive:
    async def test_it_is_followed_until_it_is_done(
        self, served: Served, acme: httpx.AsyncClient, terminal: Terminal, job: Json
    ) -> None:
        letters = await dead(served, 3)

        async with leading(served):
            result = await terminal.run("runs", "redrive", "--job", "reports.daily", "--per-sec", "2")

        assert result.exit_code == 0, result.output
        assert "is DONE: 3 of 3 have a new run" in result.stdout
        retries = (await acme.get("/runs", params={"cause": "RETRY"})).json()["items"]
        assert {run["retryOf"] for run in retries} == {str(run.id) for run in letters}

    async def test_its_end_is_told_as_json(self, served: Served, terminal: Terminal, job: Json) -> None:
        (letter,) = await dead(served)

        async with leading(served):
            told = await terminal.json(
                "runs", "redrive", "--fingerprint", letter.fingerprint or "", "--payload", '{"kind": "full"}'
            )

        assert (told["state"], told["made"], told["payload"]) == ("DONE", 1, {"kind": "full"})

    async def test_one_that_stops_is_a_failure(self, served: Served, terminal: Terminal, job: Json) -> None:
        await dead(served, 20)

        async with leading(served, are_dying=True):
            result = await terminal.run("runs", "redrive", "--all", "--per-sec", "2", "--stop-after", "3")

        assert result.exit_code == 1
        assert "is STOPPED" in result.stdout
        assert "new runs are DEAD again" in result.stdout

    async def test_a_dry_run_only_tells(self, served: Served, terminal: Terminal, job: Json) -> None:
        await dead(served, 3)

        said = (await terminal.run("runs", "redrive", "--all", "--dry-run")).stdout
        told = await terminal.json("runs", "redrive", "--all", "--dry-run", "--max", "2")

        assert "It would redrive 3 dead letters." in said
        assert (told["count"], told["groups"][0]["count"]) == (2, 3)
        assert served.store.tables.redrives == {}

    async def test_one_that_has_begun_can_be_cancelled_and_followed(
        self, served: Served, acme: httpx.AsyncClient, terminal: Terminal, job: Json
    ) -> None:
        await dead(served, 3)
        own = (await acme.post("/runs/redrive", json={"filter": {}})).json()["id"]

        cancelled = await terminal.run("runs", "redrive", "--cancel", own)
        followed = await terminal.run("runs", "redrive", "--follow", own)

        assert (cancelled.exit_code, followed.exit_code) == (0, 1)
        assert "is CANCELLED: 0 of 3 have a new run" in followed.stdout

    async def test_all_of_them_must_be_meant(self, served: Served, terminal: Terminal, job: Json) -> None:
        await dead(served)

        line = await terminal.failure("runs", "redrive")

        assert line.startswith("rota: name a filter (")
        assert served.store.tables.redrives == {}


class TestFailures:
    async def test_what_the_server_refuses_is_told_in_one_line(self, terminal: Terminal) -> None:
        unknown = await terminal.failure("runs", "show", SOMEBODY)
        wrong = await terminal.failure("runs", "redrive", "--all", "--per-sec", "0")

        assert unknown.startswith("rota: 404")
        assert "perSec: must be from 0.001 to 1,000" in wrong

    async def test_so_is_a_payload_that_is_no_json(self, terminal: Terminal) -> None:
        assert "--payload: not JSON" in await terminal.failure("runs", "retry", SOMEBODY, "--payload", "{")

    async def test_so_is_a_server_that_is_away(self, terminal: Terminal) -> None:
        line = await terminal.failure("runs", "list", ROTA_URL="http://127.0.0.1:9")

        assert line.startswith("rota: no server answers at http://127.0.0.1:9")

    @pytest.mark.parametrize("name", ["ROTA_URL", "ROTA_TOKEN"])
    async def test_so_is_what_is_not_set(self, terminal: Terminal, name: str) -> None:
        assert f"{name}: not set" in await terminal.failure("runs", "list", **{name: ""})
