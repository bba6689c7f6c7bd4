"""`rota events list` and `rota events tail`: the event log, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Served

from rota.entrypoints.cli.tailing import subjects
from rota.entrypoints.loops.following import FollowingLoop


@pytest.fixture
async def happened(served: Served) -> list[str]:
    """The ids of two jobs of acme; the first was changed."""
    async with served.client() as acme:
        made = [(await acme.post("/jobs", json={"name": name})).json()["id"] for name in "ab"]
        await acme.patch(f"/jobs/{made[0]}", json={"queue": "mail"})
    return made


@pytest.fixture
async def looking(served: Served) -> AsyncIterator[None]:
    """Somebody looks for more, as in a living process."""
    task = asyncio.create_task(FollowingLoop(served.services.followers).run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_list_has_a_line_an_event(terminal: Terminal, happened: list[str]) -> None:
    result = await terminal.run("events", "list")

    lines = result.stdout.splitlines()
    assert [line.split()[2] for line in lines[1:4]] == ["job.created", "job.created", "job.updated"]
    assert [line.split()[3] for line in lines[1:4]] == [happened[0], happened[1], happened[0]]
    assert "name=a" in lines[1]


async def test_a_list_is_gone_on_from(terminal: Terminal, happened: list[str]) -> None:
    result = await terminal.run("events", "list", "--limit", "2")

    assert "There are more" in result.stdout
    assert [each["sequence"] for each in (await terminal.json("events", "list", "--after", "2"))["items"]] == [3]


async def test_all_of_a_list_may_begin_anywhere(
    terminal: Terminal, acme: httpx.AsyncClient, happened: list[str]
) -> None:
    for start in range(0, 250, 125):
        await asyncio.gather(*(acme.post("/jobs", json={"name": f"job {n}"}) for n in range(start, start + 125)))

    found = (await terminal.json("events", "list", "--after", "3", "--all"))["items"]

    assert [each["sequence"] for each in found] == list(range(4, 254))


async def test_its_pages_have_no_numbers(terminal: Terminal) -> None:
    assert (await terminal.run("events", "list", "--page", "1")).exit_code == 2


@pytest.mark.parametrize("kind", ["nonsense", "scheduler.tenant.created"])
async def test_a_type_that_the_bus_never_tells_is_one_line(terminal: Terminal, kind: str) -> None:
    failure = await terminal.failure("events", "tail", "--type", kind, NATS_URL="nats://127.0.0.1:1")

    assert failure.startswith("rota: --type: must be as in run.failed")


async def test_a_type_may_be_said_whole() -> None:
    assert subjects("acme", "scheduler.run.failed") == subjects("acme", "run.failed") == ["scheduler.run.failed.acme"]


async def test_a_list_is_filtered(terminal: Terminal, happened: list[str]) -> None:
    found = await terminal.json("events", "list", "--type", "job.created", "--subject", happened[1])

    assert [(each["type"], each["subject"]) for each in found["items"]] == [("scheduler.job.created", happened[1])]
    assert found["lastSequence"] == 3


async def test_the_json_is_the_servers(terminal: Terminal, served: Served, happened: list[str]) -> None:
    async with served.client() as acme:
        answered = (await acme.get("/events")).json()

    assert (await terminal.json("events", "list"))["items"] == answered["items"]


async def test_a_type_that_there_cannot_be_is_one_line(terminal: Terminal) -> None:
    assert "type" in await terminal.failure("events", "list", "--type", "tenant.created")


@pytest.mark.usefixtures("looking")
async def test_without_a_bus_the_api_is_followed(terminal: Terminal, served: Served, happened: list[str]) -> None:
    tail = asyncio.create_task(terminal.run("events", "tail", "--after", "2", "--count", "2", "--json", NATS_URL=""))
    while not len(served.services.followers):
        await asyncio.sleep(0.01)
    async with served.client() as acme:
        await acme.post("/jobs", json={"name": "c"})

    result = await tail

    told = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert [(each["sequence"], each["data"]["name"]) for each in told] == [(3, "a"), (4, "c")]


async def test_somebody_must_be_named_to_be_followed(terminal: Terminal) -> None:
    failure = await terminal.failure("events", "tail", NATS_URL="", ROTA_URL="", ROTA_TOKEN="")

    assert failure.startswith("rota: NATS_URL: not set")


async def test_the_api_knows_no_seconds(terminal: Terminal) -> None:
    assert "--since" in await terminal.failure("events", "tail", "--since", "5", NATS_URL="")


async def test_a_stream_is_never_there_twice(terminal: Terminal, served: Served) -> None:
    """A refused token is told, not tried again."""
    async with httpx.AsyncClient(base_url=terminal.url) as nobody:
        assert (await nobody.get("/events/stream")).status_code == 401
    terminal.token = "nobody"

    assert "token" in await terminal.failure("events", "tail", NATS_URL="", ROTA_TOKEN="nobody")
