"""`rota workers`"""

from __future__ import annotations

import httpx
from tests.unit.cli.conftest import Terminal


async def a_worker(acme: httpx.AsyncClient, name: str = "ada") -> str:
    made = await acme.post("/workers/register", json={"name": name, "jobs": [{"name": "reports.daily"}], "slots": 5})
    return str(made.json()["workerId"])


async def test_they_are_listed(acme: httpx.AsyncClient, terminal: Terminal) -> None:
    own_id = await a_worker(acme)

    table = (await terminal.run("workers", "list")).stdout
    (told,) = (await terminal.json("workers", "list"))["items"]

    assert table.splitlines()[1].split() == [own_id, "ada", "ONLINE", "0/5", "2026-01-01T00:00:00Z", "reports.daily"]
    assert (told["id"], told["slots"], told["jobs"]) == (own_id, 5, ["reports.daily"])


async def test_one_is_shown_by_id_or_by_a_name_that_no_other_has(acme: httpx.AsyncClient, terminal: Terminal) -> None:
    first, second, grace = await a_worker(acme), await a_worker(acme), await a_worker(acme, "grace")

    ambiguous = await terminal.failure("workers", "show", "ada")

    assert (await terminal.json("workers", "show", "grace"))["id"] == grace
    assert (await terminal.json("workers", "show", first))["id"] == first
    assert "ONLINE" in (await terminal.run("workers", "show", first)).stdout
    assert "2 workers are named ada" in ambiguous
    assert first in ambiguous
    assert second in ambiguous


async def test_one_is_drained(acme: httpx.AsyncClient, terminal: Terminal) -> None:
    own_id = await a_worker(acme)

    said = (await terminal.run("workers", "drain", "ada")).stdout
    told = await terminal.json("workers", "drain", own_id)

    assert said == "ada is DRAINING, with 0 runs to end\n"
    assert told["state"] == "DRAINING"
    assert await terminal.failure("workers", "drain", "grace") == "rota: no worker is named grace"
