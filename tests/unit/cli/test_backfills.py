"""`rota backfills`"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.builders import HOUR, NOON
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, Served, a_schedule

from rota.application.backfill_once import BackfillOnce
from rota.domain.ids import WorkerId
from rota.infrastructure.memory.store import InMemoryBegin

STRETCH = ("--from", "2026-03-02T12:00:00Z", "--to", "2026-03-02T12:30:00Z")


@pytest.fixture
async def schedule(served: Served) -> str:
    """Minutely since noon, and it is one o'clock; disabled, so that nothing has run."""
    served.clock.set(NOON)
    async with served.client() as acme:
        await acme.post("/jobs", json={"name": "reports.daily"})
        rate = {"type": "FIXED_RATE", "everySec": 60, "anchorAt": STRETCH[1]}
        made: Json = (await acme.post("/schedules", json=a_schedule(trigger=rate, enabled=False))).json()
    served.clock.set(NOON + HOUR)
    return str(made["id"])


@asynccontextmanager
async def leading(served: Served) -> AsyncIterator[None]:
    """Somebody makes the runs, and carries them out at once."""

    async def lead() -> None:
        while True:
            await served.services.bus.handle(BackfillOnce())
            async with InMemoryBegin(served.store)() as work:
                for run in (await work.runs.load(list(served.store.tables.unfinished))).values():
                    run.go(served.clock.now())
                    run.start(WorkerId(run.id), 1, served.clock.now())
                    run.succeed(None, served.clock.now())
                await work.commit()
            await asyncio.sleep(0.01)

    leader = asyncio.create_task(lead())
    try:
        yield
    finally:
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)


async def test_a_dry_run_tells_how_many_runs_it_would_make(terminal: Terminal, schedule: str) -> None:
    result = await terminal.run("backfills", "start", schedule, *STRETCH, "--dry-run")

    assert result.stdout == "It would make 30 runs.\n"
    assert await terminal.json("backfills", "start", schedule, *STRETCH, "--dry-run") == {"count": 30}


async def test_a_backfill_is_started_shown_and_cancelled(terminal: Terminal, schedule: str) -> None:
    started = (await terminal.run("backfills", "start", schedule, *STRETCH)).stdout.strip()

    shown = (await terminal.run("backfills", "show", started)).stdout
    cancelled = (await terminal.run("backfills", "cancel", started, "--reason", "enough")).stdout

    assert shown == f"{started} is RUNNING: 0 of 30 runs are made\n"
    assert cancelled == f"{started} is CANCELLED: 0 of 30 runs are made (enough)\n"
    assert (await terminal.json("backfills", "show", started))["reason"] == "enough"


async def test_a_backfill_is_followed_until_its_runs_have_ended(
    served: Served, terminal: Terminal, schedule: str
) -> None:
    async with leading(served):
        found = await terminal.json("backfills", "start", schedule, *STRETCH, "--follow")

    assert (found["state"], found["made"], found["succeeded"], found["unfinished"]) == ("DONE", 30, 30, 0)


async def test_following_one_that_was_cancelled_fails(terminal: Terminal, schedule: str) -> None:
    started = (await terminal.run("backfills", "start", schedule, *STRETCH)).stdout.strip()
    await terminal.run("backfills", "cancel", started)

    assert (await terminal.run("backfills", "show", started, "--follow")).exit_code == 1


async def test_what_the_server_refuses_is_one_line(terminal: Terminal, schedule: str) -> None:
    said = await terminal.failure("backfills", "start", schedule, "--from", STRETCH[3], "--to", STRETCH[1])

    assert "to: must be later than from" in said


async def test_the_client_does_the_same(served: Served, terminal: Terminal, schedule: str) -> None:
    from rota import Rota

    stretch = {"from": STRETCH[1], "to": STRETCH[3]}
    async with Rota(terminal.url, terminal.token) as api:
        would = await api.would_backfill(schedule, **stretch)
        asked = await api.backfill(schedule, **stretch, maxConcurrent=3)
        await served.services.bus.handle(BackfillOnce())
        going = await api.get_backfill(asked.id)
        over = await api.cancel_backfill(asked.id)

    assert (would.count, asked.count, going.made, going.unfinished, over.state) == (30, 30, 3, 3, "CANCELLED")
    assert not over.is_over
