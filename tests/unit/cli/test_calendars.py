"""`rota calendars`"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import httpx
import pytest
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, a_schedule

OUTING = dedent(
    """\
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//somebody//EN
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20260101T000000Z
    DTSTART;VALUE=DATE:20260506
    SUMMARY:Outing
    END:VEVENT
    BEGIN:VEVENT
    UID:2
    DTSTAMP:20260101T000000Z
    DTSTART:20260507T090000Z
    DTEND:20260507T100000Z
    SUMMARY:Meeting
    END:VEVENT
    END:VCALENDAR
    """
).replace("\n", "\r\n")


@pytest.fixture
async def calendar(acme: httpx.AsyncClient) -> Json:
    holidays = [{"kind": "COUNTRY", "country": "DE", "subdivision": "BY"}]
    return (await acme.post("/calendars", json={"name": "DE-BY", "tz": "Europe/Berlin", "holidays": holidays})).json()


@pytest.fixture
async def schedule(acme: httpx.AsyncClient, calendar: Json) -> Json:
    await acme.post("/jobs", json={"name": "reports.daily"})
    rule = {"calendarId": calendar["id"], "onClosed": "SKIP"}
    return (await acme.post("/schedules", json=a_schedule(calendar=rule))).json()


async def test_they_are_listed_and_shown(terminal: Terminal, calendar: Json) -> None:
    table = (await terminal.run("calendars", "list")).stdout

    assert table.splitlines()[1].split() == [
        calendar["id"], "DE-BY", "Europe/Berlin", "MO", "TU", "WE", "TH", "FR", "1", "0",
    ]  # fmt: skip
    assert (await terminal.json("calendars", "list", "--name", "DE"))["items"] == [calendar]
    assert (await terminal.json("calendars", "list", "--name", "US"))["items"] == []
    assert await terminal.json("calendars", "show", "DE-BY") == calendar
    assert "Europe/Berlin" in (await terminal.run("calendars", "show", calendar["id"])).stdout
    assert await terminal.failure("calendars", "show", "DE") == "rota: no calendar is named DE"


async def test_one_is_made_from_a_file(acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "norway.yaml"
    file.write_text(
        dedent(
            """
            name: Norway
            holidays: [{kind: COUNTRY, country: NO}]
            closures: [{from: 2026-12-27, to: 2026-12-31}]
            openingHours: [{weekdays: [MO], from: 09:00, to: 17:30}]
            """
        )
    )

    made = await terminal.json("calendars", "create", str(file))

    assert made["holidays"] == [{"kind": "COUNTRY", "country": "NO", "subdivision": None}]
    assert made["openingHours"] == [{"weekdays": ["MO"], "from": "09:00", "to": "17:30"}]
    file.write_text("{name: Nowhere, holidays: [{kind: COUNTRY, country: XX}]}")
    assert "holidays.0.country: " in await terminal.failure("calendars", "create", str(file))


class TestChanging:
    async def test_tells_which_next_fires_move(
        self, acme: httpx.AsyncClient, terminal: Terminal, schedule: Json
    ) -> None:
        closed = ("--set", 'closures=[{"from": "2026-01-01", "to": "2026-01-06"}]')

        tried = (await terminal.run("calendars", "patch", "DE-BY", *closed, "--dry-run")).stdout
        standing = (await acme.get(f"/schedules/{schedule['id']}")).json()
        told = await terminal.json("calendars", "patch", "DE-BY", *closed)

        assert tried.splitlines()[:2] == ["DE-BY would be at version 2", "Next fires that would move:"]
        assert tried.splitlines()[3].split() == [
            schedule["id"], "daily", "2026-01-02T09:00:00Z", "2026-01-07T09:00:00Z",
        ]  # fmt: skip
        assert standing["nextFireAt"] == "2026-01-02T09:00:00Z"
        assert [each["to"] for each in told["affected"]] == ["2026-01-07T09:00:00Z"]

    async def test_nothing_moves_with_its_labels(self, terminal: Terminal, schedule: Json) -> None:
        said = (await terminal.run("calendars", "patch", "DE-BY", "--set", "labels.team=bi")).stdout

        assert said == "DE-BY is at version 2\n"


async def test_one_is_deleted_that_nothing_goes_by(
    acme: httpx.AsyncClient, terminal: Terminal, calendar: Json, schedule: Json
) -> None:
    in_use = await terminal.failure("calendars", "delete", "DE-BY", "--yes")
    await acme.delete(f"/schedules/{schedule['id']}")

    assert in_use.startswith("rota: 409")
    assert (await terminal.run("calendars", "delete", "DE-BY", "--yes")).stdout == "DE-BY is deleted\n"


async def test_each_day_is_told_with_its_reason(terminal: Terminal, calendar: Json) -> None:
    words = ("calendars", "days", "DE-BY", "--from", "2026-05-22", "--to", "2026-05-25")

    lines = (await terminal.run(*words)).stdout.splitlines()
    told = await terminal.json(*words)

    assert [" ".join(line.split()) for line in lines[1:]] == [
        "2026-05-22 Fri open",
        "2026-05-23 Sat closed Saturday is no working day",
        "2026-05-24 Sun closed Sunday is no working day",
        "2026-05-25 Mon closed Pentecost Monday",
    ]
    assert told["days"][3] == {"date": "2026-05-25", "open": False, "reason": "Pentecost Monday"}
    assert "to: " in await terminal.failure("calendars", "days", "DE-BY", "--from", "2026-05-22", "--to", "2026-05-21")


class TestFiles:
    async def test_closed_days_are_taken_from_one_and_what_says_none_is_told(
        self, acme: httpx.AsyncClient, terminal: Terminal, calendar: Json, tmp_path: Path
    ) -> None:
        file = tmp_path / "outing.ics"
        file.write_bytes(OUTING.encode())

        tried = (await terminal.run("calendars", "import", "DE-BY", str(file), "--dry-run")).stdout
        before = (await acme.get(f"/calendars/{calendar['id']}")).json()
        told = await terminal.json("calendars", "import", "DE-BY", str(file))
        again = (await terminal.run("calendars", "import", "DE-BY", str(file))).stdout

        assert tried.splitlines()[0] == "DE-BY would get 0 holidays, 1 closures"
        assert tried.splitlines()[1].startswith("left out: events.1: 'Meeting'")
        assert before["closures"] == []
        assert told["calendar"]["closures"] == [{"from": "2026-05-06", "to": "2026-05-06", "reason": "Outing"}]
        assert again.splitlines()[0] == "DE-BY has got 0 holidays, 0 closures"

    async def test_they_are_written_to_one(self, terminal: Terminal, calendar: Json, tmp_path: Path) -> None:
        span = ("--from", "2026-05-01", "--to", "2026-05-31")

        written = await terminal.run("calendars", "export", "DE-BY", *span, "-o", str(tmp_path / "out.ics"))
        printed = await terminal.run("calendars", "export", "DE-BY", *span)

        assert (written.exit_code, written.stdout) == (0, "")
        assert (tmp_path / "out.ics").read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")
        assert "Pentecost Monday" in printed.stdout

    async def test_what_cannot_be_read_or_written_is_told_in_one_line(
        self, terminal: Terminal, calendar: Json, tmp_path: Path
    ) -> None:
        file = tmp_path / "no.ics"
        file.write_text("nothing")

        assert "none.ics: No such file" in await terminal.failure("calendars", "import", "DE-BY", "none.ics")
        assert (await terminal.failure("calendars", "import", "DE-BY", str(file))).startswith("rota: 422")
        assert "Is a directory" in await terminal.failure("calendars", "export", "DE-BY", "-o", str(tmp_path))
