"""`rota jobs`"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, a_schedule


@pytest.fixture
async def job(acme: httpx.AsyncClient) -> Json:
    limited = {"maxConcurrent": 3, "rateLimit": {"count": 100, "perSec": 60}, "concurrencyKey": "/customer"}
    return (await acme.post("/jobs", json={"name": "reports.daily", "queue": "reports"} | limited)).json()


async def test_they_are_listed(acme: httpx.AsyncClient, terminal: Terminal, job: Json) -> None:
    await acme.post("/jobs", json={"name": "billing"})

    table = (await terminal.run("jobs", "list")).stdout
    found = await terminal.json("jobs", "list", "--queue", "reports", "--name", "rep")
    none = await terminal.json("jobs", "list", "--queue", "billing")

    assert "3 at once, 100 per 60 s, one per /customer" in table
    assert found == {"items": [job], "nextCursor": None}
    assert none["items"] == []


async def test_one_is_shown_by_id_or_by_name(terminal: Terminal, job: Json) -> None:
    assert await terminal.json("jobs", "show", job["id"]) == job
    assert await terminal.json("jobs", "show", "reports.daily") == job
    assert '{"count":100,"perSec":60}' in (await terminal.run("jobs", "show", "reports.daily")).stdout
    assert await terminal.failure("jobs", "show", "reports") == "rota: no job is named reports"


async def test_those_of_a_file_are_made_until_one_is_refused(
    acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text("[{name: a}, {name: b, timeoutSec: -1}, {name: c}]")

    result = await terminal.run("jobs", "create", str(file))

    assert result.exit_code == 1
    assert "timeoutSec: " in result.stderr
    (made,) = (await acme.get("/jobs")).json()["items"]
    assert (made["name"], result.stdout) == ("a", f"{made['id']}\n")


async def test_one_is_changed(acme: httpx.AsyncClient, terminal: Terminal, job: Json) -> None:
    said = await terminal.run(
        "jobs", "patch", "reports.daily", "--set", "retry.maxAttempts=7", "--set", "rateLimit=null"
    )
    same = await terminal.json("jobs", "update", "reports.daily", "--set", "retry.maxAttempts=7")

    assert said.stdout == "reports.daily is at version 2\n"
    assert (same["retry"]["maxAttempts"], same["rateLimit"], same["version"]) == (7, None, 2)
    assert "timeoutSec: " in await terminal.failure("jobs", "patch", "reports.daily", "--set", "timeoutSec=soon")


async def test_one_is_deleted_that_nothing_uses(acme: httpx.AsyncClient, terminal: Terminal, job: Json) -> None:
    schedule = (await acme.post("/schedules", json=a_schedule())).json()

    in_use = await terminal.failure("jobs", "delete", "reports.daily", "--yes")
    await acme.delete(f"/schedules/{schedule['id']}")
    result = await terminal.run("jobs", "delete", "reports.daily", "--yes")

    assert in_use.startswith("rota: 409")
    assert result.stdout == "reports.daily is deleted\n"
    assert (await acme.get(f"/jobs/{job['id']}")).status_code == 404
