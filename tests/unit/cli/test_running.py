"""Having jobs run from the command line, and following what becomes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import orjson
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, Served

from rota.domain.attempt import RunError
from rota.domain.ids import WorkerId
from rota.infrastructure.memory.store import InMemoryBegin


async def end_first(served: Served, *, well: bool) -> None:
    """Somebody carries out the first run that waits."""
    while not served.store.tables.unfinished:
        await asyncio.sleep(0.01)
    key = next(iter(served.store.tables.unfinished))
    now = served.clock.now()
    async with InMemoryBegin(served.store)() as work:
        run = (await work.runs.load([key]))[key]
        run.start(WorkerId(run.id), 1, now)
        if well:
            run.succeed(None, now)
        else:
            run.fail(RunError("ValueError", "no such report"), now, retryable=False)
        await work.commit()


async def test_a_job_runs_once(terminal: Terminal, acme: httpx.AsyncClient, job: Json) -> None:
    words = ("--payload", '{"kind": "full"}', "--label", "team:bi", "--dedupe-key", "january", "--priority", "7")

    made = await terminal.json("jobs", "trigger", "reports.daily", *words)
    again = await terminal.json("jobs", "trigger", job["id"], "--dedupe-key", "january")

    assert (made["payload"], made["labels"], made["priority"]) == ({"kind": "full"}, {"team": "bi"}, 7)
    assert (made["cause"], again["id"]) == ("API", made["id"])


async def test_runs_are_ordered_by_a_file(terminal: Terminal, job: Json, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("{job: reports.daily, payload: {n: 1}}")
    (tmp_path / "many.yaml").write_text("[{job: reports.daily}, {job: reports.daily}]")
    (tmp_path / "wrong.yaml").write_text("[{job: reports.daily}, {job: nobody's}]")

    one = await terminal.json("runs", "create", "-f", str(tmp_path / "one.yaml"))
    many = await terminal.json("runs", "create", "-f", str(tmp_path / "many.yaml"))
    refused = await terminal.failure("runs", "create", "-f", str(tmp_path / "wrong.yaml"))

    assert (one["payload"], len(many["items"])) == ({"n": 1}, 2)
    assert "1.job" in refused
    assert len((await terminal.json("runs", "list"))["items"]) == 3


async def test_a_run_is_followed_to_its_end(served: Served, terminal: Terminal, job: Json) -> None:
    following = asyncio.create_task(terminal.run("jobs", "trigger", "reports.daily", "--watch"))
    await end_first(served, well=True)
    result = await following

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].endswith("SUCCEEDED")


async def test_one_that_ends_badly_is_a_failure(
    served: Served, terminal: Terminal, acme: httpx.AsyncClient, job: Json
) -> None:
    run = (await acme.post("/runs", json={"job": "reports.daily"})).json()
    await end_first(served, well=False)

    result = await terminal.run("runs", "watch", run["id"], "--json")

    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["state"] == "DEAD"


async def test_runs_are_chosen_by_the_names_of_their_schedule_and_job(
    terminal: Terminal, acme: httpx.AsyncClient, job: Json, tmp_path: Path
) -> None:
    schedule = {
        "name": "daily",
        "tz": "UTC",
        "trigger": {"type": "CRON", "cron": "0 9 * * *"},
        "target": {"kind": "JOB", "job": "reports.daily"},
    }
    made = (await acme.post("/schedules", json=schedule)).json()
    run = (await acme.post(f"/schedules/{made['id']}/trigger", json={})).json()
    await acme.post("/runs", json={"job": "reports.daily"})

    by_schedule = await terminal.json("runs", "list", "--schedule", "daily", "--state", "queued", "--state", "pending")
    by_job = await terminal.json("runs", "list", "--job", job["id"])
    unknown = await terminal.failure("runs", "list", "--schedule", "nightly")

    assert [each["id"] for each in by_schedule["items"]] == [run["id"]]
    assert len(by_job["items"]) == 2
    assert unknown == "rota: no schedule is named nightly"
