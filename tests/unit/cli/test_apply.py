"""`rota apply`"""

from __future__ import annotations

from pathlib import Path

import httpx
import orjson
import pytest
from click.testing import Result
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json, a_schedule

SHOP = """
calendars:
  - name: shop                      # included before it is made, were they made as they come
    includes: [public]
    closures: [{from: 2026-12-27, reason: Stocktaking}]
    openingHours: [{weekdays: [SA, MO], from: 09:00, to: 17:30}, {weekdays: [TU], from: "00:00:00", to: "00:00"}]
  - name: public
    tz: Europe/Berlin
    holidays:
      - {kind: COUNTRY, country: NO}
      - {kind: EASTER, offsetDays: -2, name: Good Friday}
    extraOpenDays: [{date: 2026-12-05}]
jobs:
  - name: reports.daily
    retry: {maxAttempts: 5, backoff: {initialSec: 0.5}}
    payloadSchema: {type: object, properties: {kind: {type: string}}}
  - name: billing
schedules:
  - name: daily
    trigger: {type: CRON, cron: 0 9 * * 1-5, dst: {gap: SKIP}}
    target: {kind: JOB, job: reports.daily, payload: {kind: full}}
    calendar: {name: shop, onClosed: NEXT_OPEN}
    startAt: 2026-01-01T00:00:00+01:00
    misfire: {policy: SKIP}
    labels: {team: bi}
  - name: monthly
    trigger: {type: BUSINESS_DAY, day: -1, at: 17:00}
    target: {kind: JOB, job: billing}
    calendar: {name: public}
  - name: hook
    trigger: {type: FIXED_RATE, everySec: 60.0}
    target: {kind: HTTP, http: {url: "https://example.com/hook", expectStatus: 202}}
    timeoutSec: 5
  - name: told
    trigger: {type: ONE_SHOT, startAt: 2030-01-01T09:00:00}
    target: {kind: EVENT, eventTopic: orders.due}
    retry: {notOn: [HttpStatus]}
    enabled: false
  - name: queued
    trigger: {type: RRULE, rrule: "FREQ=DAILY"}
    target: {kind: QUEUE, queue: {topic: orders}}
  - name: after
    trigger: {type: FIXED_DELAY, delaySec: 5}
    target: {kind: HTTP, http: {url: "https://example.com/hook", timeoutSec: 2.5}}
  - name: on
    trigger: {type: EVENT, subject: topic.acme.orders}
    target: {kind: JOB, job: billing}
"""
COUNT = 11


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    return file


def a_set(directory: Path, name: str = "set.json", **content: Json) -> str:
    path = directory / name
    path.write_bytes(orjson.dumps(content))
    return str(path)


async def everything(acme: httpx.AsyncClient) -> dict[str, Json]:
    """What stands, by kind and name."""
    found: dict[str, Json] = {}
    for kind in ("calendars", "jobs", "schedules"):
        items = (await acme.get(f"/{kind}", params={"limit": 200})).json()["items"]
        found |= {f"{kind} {each['name']}": each for each in items}
    return found


async def applied(terminal: Terminal, *files: Path | str, **words: bool) -> Result:
    said = [word for file in files for word in ("-f", str(file))]
    result = await terminal.run("apply", *said, "--yes", *(f"--{word}" for word, wanted in words.items() if wanted))
    assert result.exit_code == 0, result.output
    return result


def counted(result: Result) -> str:
    """The line that counts."""
    return next(line for line in result.stdout.splitlines() if " to create, " in line)


class TestMaking:
    async def test_all_that_is_described_is_made_with_its_owners_label(
        self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path
    ) -> None:
        result = await applied(terminal, shop)

        found = await everything(acme)
        assert len(found) == COUNT
        assert {each["labels"]["rota-owner"] for each in found.values()} == {"shop"}
        assert found["calendars shop"]["includes"] == [found["calendars public"]["id"]]
        daily = found["schedules daily"]
        assert daily["calendar"] == {"calendarId": found["calendars shop"]["id"], "onClosed": "NEXT_OPEN"}
        assert daily["labels"] == {"team": "bi", "rota-owner": "shop"}
        assert result.stdout.splitlines() == [
            "+ calendar public", "+ calendar shop", "+ job reports.daily", "+ job billing",
            *(f"+ schedule {name}" for name in ("daily", "monthly", "hook", "told", "queued", "after", "on")),
            f"shop: {COUNT} to create, 0 to change, 0 to delete, 0 as they are", "Done.",
        ]  # fmt: skip

    async def test_applying_twice_changes_nothing(
        self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path
    ) -> None:
        await applied(terminal, shop)
        before = await everything(acme)

        result = await applied(terminal, shop, prune=True)

        assert result.stdout == f"shop: 0 to create, 0 to change, 0 to delete, {COUNT} as they are\n"
        assert await everything(acme) == before

    async def test_one_that_was_disabled_stays_so_unless_the_file_says_otherwise(
        self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path
    ) -> None:
        await applied(terminal, shop)
        daily = (await everything(acme))["schedules daily"]
        await acme.post(f"/schedules/{daily['id']}/disable", json={"reason": "an incident"})

        silent = await applied(terminal, shop)
        shop.write_text(SHOP.replace("labels: {team: bi}", "labels: {team: bi}\n    enabled: true"))
        said = await applied(terminal, shop)

        assert counted(silent).startswith("shop: 0 to create, 0 to change")
        assert "    enabled: false -> true" in said.stdout.splitlines()
        assert (await everything(acme))["schedules daily"]["enabled"] is True

    async def test_nor_does_applying_what_was_read_back(
        self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path, tmp_path: Path
    ) -> None:
        """But for what only the server says."""
        await applied(terminal, shop)
        own = {"id", "tenantId", "createdAt", "updatedAt", "version", "nextFireAt", "lastFireAt", "disabledUntil"}
        content: dict[str, list[Json]] = {"calendars": [], "jobs": [], "schedules": []}
        for key, thing in (await everything(acme)).items():
            del thing["labels"]["rota-owner"]
            content[key.split()[0]].append({name: value for name, value in thing.items() if name not in own})

        result = await applied(terminal, a_set(tmp_path, owner="shop", **content))

        assert counted(result) == f"shop: 0 to create, 0 to change, 0 to delete, {COUNT} as they are"


class TestTheDifference:
    async def test_is_shown_field_by_field_and_a_dry_run_does_no_more(
        self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path
    ) -> None:
        await applied(terminal, shop)
        before = await everything(acme)
        shop.write_text(
            SHOP.replace("maxAttempts: 5", "maxAttempts: 7")
            .replace("properties: {kind: {type: string}}", "properties: {of: {type: string}}")
            .replace("cron: 0 9 * * 1-5, dst: {gap: SKIP}", "cron: 0 8 * * *")
            .replace("misfire: {policy: SKIP}", "overlap: SKIP")
            .replace("calendar: {name: shop, onClosed: NEXT_OPEN}", "calendar: {name: public}")
            .replace("country: NO", "country: SE")
        )

        shown = await terminal.run("apply", "-f", str(shop), "--dry-run")
        told = await terminal.json("apply", "-f", str(shop), "--dry-run")

        assert await everything(acme) == before
        lines = shown.stdout.splitlines()
        assert lines[0] == "~ calendar public"
        assert lines[2:] == [
            "~ job reports.daily",
            "    retry.maxAttempts: 5 -> 7",
            '    payloadSchema.properties.kind: {"type":"string"} -> null',
            '    payloadSchema.properties.of: null -> {"type":"string"}',
            "~ schedule daily",
            '    overlap: "ALLOW" -> "SKIP"',
            '    misfire.policy: "SKIP" -> "FIRE_ONCE"',
            '    calendar.name: "shop" -> "public"',
            '    calendar.onClosed: "NEXT_OPEN" -> "SKIP"',
            '    trigger.cron: "0 9 * * 1-5" -> "0 8 * * *"',
            '    trigger.dst: {"gap":"SKIP","overlap":"FIRST"} -> null',
            f"shop: 0 to create, 3 to change, 0 to delete, {COUNT - 3} as they are",
        ]
        assert (told["owner"], told["applied"], told["unchanged"]) == ("shop", False, COUNT - 3)
        assert told["changes"][1]["fields"][0] == {"field": "retry.maxAttempts", "before": 5, "after": 7}

    async def test_is_made_good(self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path) -> None:
        await applied(terminal, shop)
        changed = (
            SHOP.replace("retry: {maxAttempts: 5, backoff: {initialSec: 0.5}}", "timeoutSec: 60")
            .replace("properties: {kind: {type: string}}", "required: [of]")
            .replace("payload: {kind: full}", "payload: {of: all}")
            .replace("    calendar: {name: shop, onClosed: NEXT_OPEN}\n", "")
            .replace("labels: {team: bi}", "labels: {cost: x}")
            .replace("{kind: QUEUE, queue: {topic: orders}}", "{kind: JOB, job: billing}")
            .replace("{kind: EVENT, eventTopic: orders.due}", "{kind: HTTP, http: {url: 'https://example.com/x'}}")
            .replace("includes: [public]", "workingDays: [MO]")
        )
        shop.write_text(changed)

        await applied(terminal, shop)
        again = await applied(terminal, shop)

        found = await everything(acme)
        job, daily = found["jobs reports.daily"], found["schedules daily"]
        assert counted(again) == f"shop: 0 to create, 0 to change, 0 to delete, {COUNT} as they are"
        assert (job["retry"]["maxAttempts"], job["retry"]["backoff"]["initialSec"], job["timeoutSec"]) == (3, 1, 60)
        assert job["payloadSchema"] == {"type": "object", "required": ["of"]}
        assert (daily["calendar"], daily["target"]["payload"]) == (None, {"of": "all"})
        assert daily["labels"] == {"cost": "x", "rota-owner": "shop"}
        assert (found["schedules queued"]["target"]["kind"], found["schedules queued"]["retry"]) == ("JOB", None)
        assert found["schedules told"]["target"]["http"]["url"] == "https://example.com/x"
        assert (found["calendars shop"]["includes"], found["calendars shop"]["workingDays"]) == ([], ["MO"])

    async def test_nothing_happens_where_nobody_can_say_yes(
        self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path
    ) -> None:
        result = await terminal.run("apply", "-f", str(shop))
        quiet = await terminal.failure("apply", "-f", str(shop), "--json")

        assert result.exit_code == 1
        assert "nobody can be asked" in result.stderr
        assert "nobody can be asked" in quiet
        assert await everything(acme) == {}


class TestOwners:
    async def test_what_is_no_longer_described_goes_only_by_prune_and_only_the_owners(
        self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path, tmp_path: Path
    ) -> None:
        await acme.post("/jobs", json={"name": "nobodys"})
        await applied(terminal, a_set(tmp_path, "others.json", jobs=[{"name": "theirs"}]))
        await applied(terminal, shop)
        shop.write_text("jobs: [{name: reports.daily}]")

        kept = await applied(terminal, shop)
        still = await everything(acme)
        pruned = await applied(terminal, shop, prune=True)

        assert "No longer described, but there until --prune: schedule after, schedule daily, " in kept.stdout
        assert len(still) == COUNT + 2
        assert counted(pruned) == f"shop: 0 to create, 0 to change, {COUNT - 1} to delete, 1 as they are"
        assert set(await everything(acme)) == {"jobs reports.daily", "jobs nobodys", "jobs theirs"}

    async def test_what_is_anothers_is_not_touched(
        self, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path
    ) -> None:
        await applied(terminal, a_set(tmp_path, "theirs.json", jobs=[{"name": "billing"}]))
        await acme.post("/jobs", json={"name": "nobodys"})
        before = await everything(acme)
        mine = a_set(
            tmp_path, "mine.json", jobs=[{"name": "new"}, {"name": "billing", "priority": 5}, {"name": "nobodys"}]
        )

        line = await terminal.failure("apply", "-f", mine, "--yes", "--prune")
        also = await terminal.failure("apply", "-f", mine, "--yes", "--adopt")

        assert line == "rota: job billing: belongs to theirs; job nobodys: belongs to nobody, --adopt takes it over"
        assert also == "rota: job billing: belongs to theirs"
        assert await everything(acme) == before

    async def test_what_is_nobodys_can_be_taken_over(
        self, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path
    ) -> None:
        await acme.post("/jobs", json={"name": "reports.daily", "labels": {"team": "bi"}})
        await acme.post("/schedules", json=a_schedule())
        mine = a_set(tmp_path, "mine.json", jobs=[{"name": "reports.daily"}], schedules=[a_schedule(overlap="SKIP")])

        result = await applied(terminal, mine, adopt=True)

        found = await everything(acme)
        assert '    labels.rota-owner: null -> "mine"' in result.stdout.splitlines()
        assert [each["labels"] for each in found.values()] == [{"rota-owner": "mine"}] * 2
        assert found["schedules daily"]["overlap"] == "SKIP"

    async def test_it_is_said_on_the_command_line_or_in_a_file_or_is_the_files_name(
        self, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path
    ) -> None:
        named = a_set(tmp_path, "a.json", owner="said", jobs=[{"name": "a"}])
        unnamed = a_set(tmp_path, "b.json", jobs=[{"name": "b"}])
        third = a_set(tmp_path, "c.json", jobs=[{"name": "c"}])

        both = await terminal.run("apply", "-f", named, "-f", unnamed, "--dry-run")
        neither = await terminal.failure("apply", "-f", unnamed, "-f", third, "--dry-run")
        last = await terminal.run("apply", "-f", named, "-f", third, "--owner", "last", "--dry-run")

        assert counted(both).startswith("said: 2 to create")
        assert neither == "rota: whose are they? say it by --owner, or by owner in a file"
        assert counted(last).startswith("last: 2 to create")
        assert counted(await terminal.run("apply", "-f", third, "--dry-run")).startswith("c: 1 to create")


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ({"job": []}, "job: unknown; known are owner, calendars, jobs, schedules"),
            ({"jobs": {"name": "a"}}, "jobs: must be a list"),
            ({"jobs": [{"name": "a"}, {"queue": "b"}]}, "jobs.1: must be an object with a name"),
            ({"jobs": [{"name": "a"}, {"name": "a"}]}, "job a: is described twice"),
            ({"jobs": [{"name": "a", "labels": "x"}]}, "job a: labels: must be an object"),
            ({"jobs": [{"name": "a", "labels": {"rota-owner": "x"}}]}, "job a: labels.rota-owner: is said by owner"),
            ({"owner": 17}, "owner: must be a text"),
            ({"owner": "x" * 64}, "the owner must have at most 63 printable characters"),
            (
                {"schedules": [a_schedule(calendar={"name": "x"})]},
                "schedule daily: calendar.name: no calendar is named x",
            ),
            (
                {"schedules": [a_schedule(calendar={"name": [1]})]},
                "schedule daily: calendar.name: no calendar is named",
            ),
            (
                {"calendars": [{"name": "a", "includes": ["b"]}, {"name": "b", "includes": ["a"]}]},
                "calendars include each other: ",
            ),
        ],
    )
    async def test_in_the_file_is_told_in_one_line_and_nothing_is_made(
        self, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path, content: Json, why: str
    ) -> None:
        line = await terminal.failure("apply", "-f", a_set(tmp_path, **content), "--yes")

        assert why in line
        assert await everything(acme) == {}

    @pytest.mark.parametrize(
        ("kind", "thing"),
        [
            ("jobs", {"retry": "often", "labels": {}}),
            ("jobs", {"retry": {"backoff": []}}),
            ("calendars", {"workingDays": [[]], "closures": ["x"], "openingHours": [{"weekdays": {}, "from": 9}]}),
            ("calendars", {"holidays": {}, "includes": [{}]}),
            ("schedules", {"trigger": 17, "target": []}),
            ("schedules", {"trigger": {"type": "CRON", "dst": 1}, "target": {"kind": "HTTP", "http": []}}),
            ("schedules", {"trigger": {"type": {}}, "target": {"kind": "QUEUE", "queue": 5}, "calendar": "x"}),
        ],
    )
    async def test_whatever_is_said_of_what_stands_the_server_judges(
        self, acme: httpx.AsyncClient, terminal: Terminal, shop: Path, tmp_path: Path, kind: str, thing: Json
    ) -> None:
        await applied(terminal, shop)
        before = await everything(acme)
        name = next(key.split()[1] for key in before if key.startswith(kind))

        result = await terminal.run(
            "apply", "-f", a_set(tmp_path, owner="shop", **{kind: [{"name": name} | thing]}), "--yes"
        )

        assert result.exit_code == 1
        assert result.stderr.startswith(f"rota: {kind[:-1]} {name}: 422 - ")
        assert await everything(acme) == before

    async def test_in_a_schedule_is_named_and_no_schedule_is_made(
        self, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path
    ) -> None:
        wrong = a_schedule(name="wrong", trigger={"type": "CRON", "cron": "61 * * * *"})
        file = a_set(tmp_path, jobs=[{"name": "reports.daily"}], schedules=[a_schedule(), wrong])

        result = await terminal.run("apply", "-f", file, "--yes")

        assert result.exit_code == 1
        assert "schedule wrong: trigger.cron: " in result.stderr
        assert result.stderr.endswith("(1 of 3 changes are made)\n")
        assert set(await everything(acme)) == {"jobs reports.daily"}

    async def test_a_typo_is_no_field(self, acme: httpx.AsyncClient, terminal: Terminal, tmp_path: Path) -> None:
        await applied(terminal, a_set(tmp_path, jobs=[{"name": "a"}]))

        line = await terminal.run("apply", "-f", a_set(tmp_path, jobs=[{"name": "a", "prority": 5}]), "--yes")

        assert line.exit_code == 1
        assert "job a: 422" in line.stderr
        assert "prority: " in line.stderr
