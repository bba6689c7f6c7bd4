"""`rota preview`"""

from __future__ import annotations

import pytest
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, Served

FROM = ("--from", "2026-12-23T00:00:00Z")


@pytest.fixture
async def office(served: Served) -> Json:
    christmas = {"kind": "DATE", "month": 12, "day": 24, "name": "Christmas Eve"}
    async with served.client() as acme:
        for name in ("office party", "office"):
            answer = await acme.post("/calendars", json={"name": name, "holidays": [christmas]})
    return answer.json()


async def test_the_next_fires_are_told_by_the_clock_of_the_zone(terminal: Terminal) -> None:
    found = await terminal.json("preview", "0 9 * * 1-5", "--tz", "Europe/Berlin", *FROM, "--count", "2")

    assert [fire["at"] for fire in found["fires"]] == ["2026-12-23T08:00:00Z", "2026-12-24T08:00:00Z"]
    assert found["fires"][0]["local"] == "2026-12-23T09:00:00+01:00"


async def test_as_a_table_each_fire_is_a_line(terminal: Terminal) -> None:
    result = await terminal.run("preview", "0 9 * * 1-5", "--tz", "Europe/Berlin", *FROM, "--count", "3")

    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["local", "at", "scheduled", "for", "note"]
    assert lines[1] == ["Wed", "2026-12-23T09:00:00+01:00", "2026-12-23T08:00:00Z"]
    assert len(lines) == 4


async def test_recurrence_rules_are_known_by_their_looks(terminal: Terminal) -> None:
    found = await terminal.json("preview", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31;BYHOUR=9", *FROM, "--count", "1")

    assert found["fires"][0]["at"] == "2026-12-31T09:00:00Z"


@pytest.mark.parametrize("by", ["id", "name"])
async def test_a_calendar_is_named_by_its_id_or_its_name(terminal: Terminal, office: Json, by: str) -> None:
    words = ("preview", "0 9 * * *", "--calendar", office[by], *FROM, "--count", "2")

    skipped = await terminal.json(*words)
    moved = await terminal.json(*words, "--on-closed", "next_open")

    assert [fire["at"][:10] for fire in skipped["fires"]] == ["2026-12-23", "2026-12-25"]
    assert [fire["scheduledFor"][:10] for fire in moved["fires"]] == ["2026-12-23", "2026-12-24"]


async def test_where_a_calendar_moves_a_fire_the_table_says_from_when(terminal: Terminal, office: Json) -> None:
    words = ("--calendar", "office", "--on-closed", "NEXT_OPEN", *FROM, "--count", "2")

    result = await terminal.run("preview", "0 9 * * *", *words)

    assert "2026-12-25T09:00:00Z 2026-12-24T09:00:00Z" in " ".join(result.stdout.split())


async def test_where_nothing_comes_it_says_so(terminal: Terminal) -> None:
    result = await terminal.run("preview", "RRULE:FREQ=DAILY;UNTIL=20260101", "--tz", "UTC", *FROM)

    assert (result.exit_code, result.stdout) == (0, "No further fires.\n")


async def test_what_cannot_be_read_is_refused_in_one_line(terminal: Terminal, office: Json) -> None:
    assert "trigger.cron" in await terminal.failure("preview", "0 9 * *")
    assert "tz" in await terminal.failure("preview", "0 9 * * *", "--tz", "Mars/Olympus")
    assert "from" in await terminal.failure("preview", "0 9 * * *", "--from", "tomorrow")
    assert "onClosed" in await terminal.failure("preview", "0 9 * * *", "--calendar", "office", "--on-closed", "RUN")
    assert await terminal.failure("preview", "0 9 * * *", "--calendar", "off") == ("rota: no calendar is named off")
