"""How lists are asked for, and how they look where they are shown."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import orjson
import pytest
from rich.console import Console
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json
from tests.unit.http.conftest import a_schedule as definition

from rota.entrypoints.cli.calling import Desk
from rota.entrypoints.cli.listings import schedules_table
from rota.entrypoints.cli.tables import Listing
from rota.entrypoints.cli.watching import watch_list
from rota.entrypoints.sdk.client import RotaSync
from rota.entrypoints.sdk.models import Page, Schedule

NAMES = [f"c{number:03}" for number in range(205)]


@pytest.fixture
async def many(acme: httpx.AsyncClient, job: Json) -> None:
    await acme.post("/schedules/batch", json=[definition(name=name) for name in NAMES])


@pytest.mark.usefixtures("many")
class TestParts:
    async def test_all_there_are(self, terminal: Terminal) -> None:
        told = await terminal.json("schedules", "list", "--all")

        assert sorted(each["name"] for each in told["items"]) == NAMES
        assert told["nextCursor"] is None

    async def test_a_page_by_its_number_with_how_many_there_are(self, terminal: Terminal) -> None:
        told = await terminal.json("schedules", "list", "--page", "21", "--limit", "10")
        table = (await terminal.run("schedules", "list", "--page", "21", "--limit", "10")).stdout

        assert (len(told["items"]), told["page"], told["pageSize"], told["total"]) == (5, 21, 10, 205)
        assert table.endswith("Page 21 of 21; 205 schedules in all.\n")

    async def test_two_parts_at_once_are_a_wrong_call(self, terminal: Terminal) -> None:
        result = await terminal.run("schedules", "list", "--all", "--page", "2")

        assert (result.exit_code, result.stdout) == (2, "")
        assert "--page and --all do not go together" in result.stderr


async def test_where_nothing_is_there_it_says_so(terminal: Terminal) -> None:
    for things in ("schedules", "jobs", "runs", "workers", "calendars"):
        assert (await terminal.run(things, "list")).stdout == f"No {things}.\n"


def a_listing() -> Listing:
    listing = Listing("schedules", "id", "name", "next fire", spare=("id",))
    listing.add("01890a5d-ac96-774b-bcce-b302099a8057", "a name of many words that takes its time", "2026-01-01T09:00Z")
    return listing


def shown(width: int) -> list[str]:
    page = Console(file=io.StringIO(), width=width)
    with page.capture() as printed:
        page.print(a_listing())
    return [line.rstrip() for line in printed.get().splitlines()]


class TestWidth:
    def test_with_room_a_thing_is_a_line(self) -> None:
        assert len(shown(120)) == 2
        assert shown(120)[0].split() == ["id", "name", "next", "fire"]

    def test_what_can_be_done_without_gives_way(self) -> None:
        assert shown(50)[0].split() == ["name", "next", "fire"]

    def test_names_are_broken_and_what_is_copied_is_not(self) -> None:
        lines = shown(50)

        assert len(lines) > 2
        assert "2026-01-01T09:00Z" in lines[1]


class TestWatching:
    def test_it_is_told_again_whenever_it_has_changed(self, capsys: pytest.CaptureFixture[str]) -> None:
        def pages() -> Iterator[Page[Schedule]]:
            one, other = (Page[Schedule](items=[a_schedule(name)]) for name in ("one", "other"))
            yield from (one, one, other)
            raise KeyboardInterrupt

        look = pages()
        with RotaSync("http://127.0.0.1:9", "nobody") as api, pytest.raises(KeyboardInterrupt):
            watch_list(Desk(api, True), lambda: next(look), schedules_table, every=0)

        told = [orjson.loads(line)["items"][0]["name"] for line in capsys.readouterr().out.splitlines()]
        assert told == ["one", "other"]


def a_schedule(name: str) -> Schedule:
    return Schedule(id=name, name=name, enabled=True, trigger={"type": "CRON", "cron": "@daily"}, target={}, version=1)


async def test_colours_are_for_terminals(terminal: Terminal, job: Json) -> None:
    for words in (("jobs", "list"), ("jobs", "--help"), ("jobs", "lst")):
        result = await terminal.run(*words)
        assert not {"\x1b", "│", "╭"} & set(result.output)
