"""`rota schedules`: keeping them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, Served, a_delivery, a_schedule

SOMEBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
async def acme(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with served.client() as client:
        await client.post("/jobs", json={"name": "reports.daily"})
        yield client


@pytest.fixture
async def schedule(acme: httpx.AsyncClient) -> Json:
    return (await acme.post("/schedules", json=a_schedule())).json()


def a_file(directory: Path, value: Json) -> str:
    path = directory / "file.json"
    path.write_bytes(orjson.dumps(value))
    return str(path)


class TestList:
    async def test_tells_when_and_what(self, acme: httpx.AsyncClient, terminal: Terminal, schedule: Json) -> None:
        triggers = {
            "rule": {"type": "RRULE", "rrule": "FREQ=DAILY"},
            "rate": {"type": "FIXED_RATE", "everySec": 60},
            "delay": {"type": "FIXED_DELAY", "delaySec": 5},
            "once": {"type": "ONE_SHOT", "startAt": "2030-01-01T09:00:00"},
            "event": {"type": "EVENT", "subject": "topic.acme.orders"},
        }
        for name, trigger in triggers.items():
            await acme.post("/schedules", json=a_delivery("HTTP", name=name, trigger=trigger))

        table = (await terminal.run("schedules", "list")).stdout

        assert schedule["id"] in table
        for said in (
            "0 9 * * *", "job reports.daily", "2026-01-01T09:00:00Z", "FREQ=DAILY", "every 60 s", "5 s after its end",
            "once, 2030-01-01T09:00:00", "on topic.acme.orders", "PUT https://example.com/hook",
        ):  # fmt: skip
            assert said in table

    async def test_filters_as_the_api_does(self, acme: httpx.AsyncClient, terminal: Terminal, schedule: Json) -> None:
        others = [
            a_schedule(name="disabled", enabled=False),
            a_schedule(name="labelled", labels={"team": "bi"}),
            a_delivery("EVENT", name="told"),
        ]
        await acme.post("/schedules/batch", json=others)

        async def names(*words: str) -> list[str]:
            return [each["name"] for each in (await terminal.json("schedules", "list", *words))["items"]]

        assert sorted(await names()) == ["daily", "disabled", "labelled", "told"]
        assert await names("--disabled") == ["disabled"]
        assert len(await names("--enabled")) == 3
        assert await names("--name", "lab") == ["labelled"]
        assert await names("--label", "team:bi") == ["labelled"]
        assert await names("--kind", "EVENT") == ["told"]

    async def test_goes_on_where_it_ended(self, acme: httpx.AsyncClient, terminal: Terminal) -> None:
        await acme.post("/schedules/batch", json=[a_schedule(name=name) for name in "abc"])

        first = await terminal.json("schedules", "list", "--limit", "2")
        rest = await terminal.json("schedules", "list", "--limit", "2", "--cursor", first["nextCursor"])
        table = (await terminal.run("schedules", "list", "--limit", "2")).stdout

        assert [each["name"] for each in first["items"] + rest["items"]] == ["c", "b", "a"]
        assert f"There are more: --all, or --cursor {first['nextCursor']}" in table


class TestShow:
    async def test_by_id_or_by_name(self, acme: httpx.AsyncClient, terminal: Terminal, schedule: Json) -> None:
        await acme.post("/schedules", json=a_schedule(name="daily too"))

        by_id = await terminal.json("schedules", "show", schedule["id"])
        by_name = await terminal.json("schedules", "show", "daily")
        shown = (await terminal.run("schedules", "show", "daily")).stdout

        assert by_id == by_name == schedule
        assert '{"type":"CRON","cron":"0 9 * * *"}' in shown

    async def test_one_that_is_not_there_is_told_in_one_line(self, terminal: Terminal, schedule: Json) -> None:
        assert await terminal.failure("schedules", "show", "dail") == "rota: no schedule is named dail"
        assert (await terminal.failure("schedules", "show", SOMEBODY)).startswith("rota: 404")

    async def test_what_others_wrote_does_nothing_to_the_terminal(
        self, acme: httpx.AsyncClient, terminal: Terminal
    ) -> None:
        said = "[bold]\x1b[31mred\x07"
        await acme.post("/schedules", json=a_schedule(name="[bold]red", description=said, labels={"a": "[b]"}))

        for words in (("list",), ("show", "[bold]red")):
            shown = (await terminal.run("schedules", *words)).stdout
            assert "[bold]red" in shown
            assert not {"\x1b", "\x07"} & set(shown)


class TestCreate:
    async def test_one(self, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path) -> None:
        (tmp_path / "file.yaml").write_text(
            """
            name: daily
            tz: Europe/Berlin
            trigger: {type: CRON, cron: 0 9 * * 1-5}
            target: {kind: JOB, job: reports.daily}
            endAt: 2030-01-01T00:00:00Z
            """
        )

        made = await terminal.json("schedules", "create", str(tmp_path / "file.yaml"))

        assert (made["name"], made["trigger"]["cron"]) == ("daily", "0 9 * * 1-5")
        assert (await acme.get(f"/schedules/{made['id']}")).json() == made

    async def test_many_or_none(
        self, served: Served, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path
    ) -> None:
        wrong = [a_schedule(name="a"), a_schedule(name="b", trigger={"type": "CRON", "cron": "61 * * * *"})]

        line = await terminal.failure("schedules", "create", a_file(tmp_path, wrong))
        none = (await acme.get("/schedules")).json()["items"]
        made = await terminal.run("schedules", "create", a_file(tmp_path, [a_schedule(name="a"), a_schedule(name="b")]))

        assert "1.trigger.cron: " in line
        assert none == []
        listed = (await acme.get("/schedules")).json()["items"]
        assert made.stdout.split() == [each["id"] for each in reversed(listed)]

    async def test_every_wrong_field_is_named_in_one_line(self, terminal: Terminal, tmp_path: Path) -> None:
        wrong = {"name": "a", "tz": 17, "trigger": {"type": "CRON"}, "bogus": 1, "self": 2}

        line = await terminal.failure("schedules", "create", a_file(tmp_path, wrong))

        for field in ("tz: ", "trigger.cron: ", "target: ", "bogus: ", "self: "):
            assert field in line
        assert "name: " in await terminal.failure(
            "schedules", "create", a_file(tmp_path, a_schedule() | {"name": None})
        )

    async def test_and_named_once(self, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path) -> None:
        wrong = a_schedule(trigger={"type": "CRON", "cron": "0 9 * *"})

        line = await terminal.failure("schedules", "create", a_file(tmp_path, wrong))

        assert line == "rota: 422 - Invalid - trigger.cron: must have five fields, or six with seconds first, not 4"

    async def test_a_file_that_is_not_there_is_told_in_one_line(self, terminal: Terminal) -> None:
        assert (
            await terminal.failure("schedules", "create", "none.yaml") == "rota: none.yaml: No such file or directory"
        )


class TestPatch:
    async def test_by_a_file_and_by_fields(
        self, acme: httpx.AsyncClient, terminal: Terminal, schedule: Json, tmp_path: Path
    ) -> None:
        file = a_file(tmp_path, {"labels": {"team": "bi"}, "maxRuns": 5})

        await terminal.run(
            "schedules", "patch", "daily", file, "--set", "misfire.graceSec=60", "--set", "tz=Asia/Tokyo"
        )
        changed = await terminal.json("schedules", "patch", schedule["id"], "--set", "maxRuns=null")

        assert (changed["labels"], changed["maxRuns"], changed["tz"]) == ({"team": "bi"}, None, "Asia/Tokyo")
        assert changed["misfire"] == {"policy": "FIRE_ONCE", "graceSec": 60, "catchupWindowSec": None}
        assert (await acme.get(f"/schedules/{schedule['id']}")).json() == changed

    async def test_a_wrong_field_is_named_and_nothing_changes(
        self, acme: httpx.AsyncClient, terminal: Terminal, schedule: Json
    ) -> None:
        line = await terminal.failure("schedules", "patch", "daily", "--set", "misfire.policy=NEVER", "--set", "tz=UTC")

        assert "misfire.policy: " in line
        assert (await acme.get(f"/schedules/{schedule['id']}")).json() == schedule

    async def test_also_one_that_is_called_as_something_of_the_clients(
        self, terminal: Terminal, schedule: Json
    ) -> None:
        assert "schedule_id: " in await terminal.failure("schedules", "patch", "daily", "--set", "schedule_id=1")

    async def test_nothing_to_change_is_told(self, terminal: Terminal, schedule: Json) -> None:
        assert "nothing is to change" in await terminal.failure("schedules", "patch", "daily")


async def test_one_is_deleted(acme: httpx.AsyncClient, terminal: Terminal, schedule: Json) -> None:
    result = await terminal.run("schedules", "delete", "daily", "--yes")

    assert (result.exit_code, result.stdout) == (0, "daily is deleted\n")
    assert (await acme.get(f"/schedules/{schedule['id']}")).status_code == 404
