"""`rota simulate`: no server is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from rota.entrypoints.cli.app import app

Json = Any  # JSON

SPRING = ("--from", "2026-03-27T00:00:00Z", "--to", "2026-04-01")


def a_schedule(name: str = "daily", **more: Json) -> Json:
    return {
        "name": name,
        "tz": "Europe/Berlin",
        "trigger": {"type": "CRON", "cron": "30 2 * * *"},
        "target": {"kind": "JOB", "job": "reports.daily"},
    } | more


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *words], env={"DEFAULT_TZ": "UTC"})


@pytest.fixture
def write(tmp_path: Path) -> Any:  # Any: a function
    def put(document: Json, name: str = "plan.json") -> str:
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(path)

    return put


def answer(*words: str) -> Json:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failure(*words: str) -> str:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.strip()


def test_the_fires_of_a_file_as_json(write: Any) -> None:
    told = answer(write([a_schedule()]), *SPRING)

    assert (told["from"], told["to"]) == ("2026-03-27T00:00:00Z", "2026-04-01T00:00:00Z")
    assert [fire["local"] for fire in told["fires"]] == [
        "2026-03-27T02:30:00+01:00",
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
        "2026-03-31T02:30:00+02:00",
    ]
    assert told["fires"][2] == {
        "schedule": "daily",
        "at": "2026-03-29T01:00:00Z",
        "scheduledFor": "2026-03-29T01:00:00Z",
        "local": "2026-03-29T03:00:00+02:00",
    }


def test_the_fires_of_a_file_as_lines_with_what_touched_them(write: Any) -> None:
    rule = {"calendarId": "weekdays", "onClosed": "NEXT_OPEN"}
    path = write({"calendars": [{"name": "weekdays"}], "schedules": [a_schedule(calendar=rule)]})

    lines = run(path, *SPRING, "--notes").stdout.splitlines()

    assert lines[0].split() == ["at", "local", "schedule"]
    assert lines[1] == "2026-03-27T01:30:00Z  2026-03-27T02:30:00+01:00  daily"
    assert lines[2].startswith("2026-03-30T00:30:00Z  2026-03-30T02:30:00+02:00  daily  (scheduled for 2026-03-28")
    assert "weekdays is closed on 2026-03-28 (Saturday is no working day)" in lines[2]


def test_a_summary_counts(write: Any) -> None:
    path = write([a_schedule(), a_schedule("ear", trigger={"type": "EVENT", "subject": "topic.default.x"})])

    lines = run(path, *SPRING, "--summary").stdout.splitlines()
    told = answer(path, *SPRING, "--summary")

    assert [line.split() for line in lines[1:]] == [
        ["5", "2026-03-27T01:30:00Z", "2026-03-31T00:30:00Z", "daily"],
        ["0", "-", "-", "ear"],
    ]
    assert told["schedules"] == [
        {"schedule": "daily", "count": 5, "first": "2026-03-27T01:30:00Z", "last": "2026-03-31T00:30:00Z"},
        {"schedule": "ear", "count": 0, "first": None, "last": None},
    ]


def test_nothing_to_tell_is_a_document_too(write: Any) -> None:
    assert answer(write({"schedules": []}), *SPRING)["fires"] == []


def test_a_spread_follows_from_the_id(write: Any) -> None:
    own_id = "01890a5d-ac96-774b-bcce-b302099a8057"
    spread = [a_schedule("named", jitterSec=3600), a_schedule("known", id=own_id, jitterSec=3600)]

    first, again = [answer(write(spread), *SPRING)["fires"] for _ in range(2)]

    assert first == again
    assert len({fire["at"] for fire in first[:2]}) == 2


YAML = """
calendars:
  - name: NO                     # YAML 1.1 has it for false
    holidays: [{kind: COUNTRY, country: NO}]
    openingHours: [{weekdays: [MO, TU, WE, TH, FR], from: 09:00, to: 17:30}]
  - &work
    name: work
    includes: [NO]
    closures: [{from: 2026-03-31, reason: Inventory}]
schedules:
  - name: third
    tz: Europe/Oslo
    trigger: {type: BUSINESS_DAY, day: 2, of: MONTH, at: 09:30}
    target: {kind: JOB, job: reports.daily, payload: {code: 010, big: 12, half: 0.5, none: ~, on: yes}}
    calendar: {calendarId: work}
    startAt: 2026-01-01T00:00:00Z
"""


def test_yaml_is_read_as_json_has_its_values(write: Any) -> None:
    told = answer(write(YAML, "plan.yaml"), "--from", "2026-03-01", "--to", "2026-05-01")

    assert [fire["local"] for fire in told["fires"]] == ["2026-03-03T09:30:00+01:00", "2026-04-07T09:30:00+02:00"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("document", "said"),
        [
            (
                [a_schedule(trigger={"type": "CRON", "cron": "61 * * * *"})],
                "schedules.0.trigger.cron: 61 in the minute",
            ),
            ([a_schedule(), a_schedule()], "schedules.1.name: 'daily' is taken"),
            ([a_schedule(cron="x")], "schedules.0.cron: unknown"),
            ([a_schedule(id="x")], "schedules.0.id: is not a UUID"),
            ([7], "schedules.0: must be an object"),
            ({"schedules": {}, "jobs": []}, "jobs: unknown"),
            ({"schedules": 7}, "schedules: must be a list"),
            ("[", "not JSON"),
            ("7", "must be an object"),
            (
                [a_schedule(calendar={"calendarId": "x"})],
                "schedules.0.calendar.calendarId: there is no calendar named 'x'",
            ),
            ({"calendars": [{"name": "a", "includes": ["b"]}]}, "calendars.0.includes: there is no calendar named 'b'"),
            ({"calendars": [{"name": "a"}, {"name": "a"}]}, "calendars: each must have a name of its own"),
            ({"calendars": [{"name": "a", "includes": ["a"]}]}, "cannot include itself"),
            ({"calendars": [{"name": "a", "tz": "Mars"}]}, "calendars.0.tz"),
            ([a_schedule(trigger={"type": "EVENT", "subject": "topic.acme.x"})], "schedules.0.trigger.subject"),
        ],
    )
    def test_a_fault_in_the_file_is_named_by_its_place(self, write: Any, document: Json, said: str) -> None:
        assert said in failure(write(document), *SPRING)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a: [", "not YAML"),
            ("schedules: []\nschedules: []", "schedules: is said twice"),
            ("a", "object"),
        ],
    )
    def test_bad_yaml_is_refused(self, write: Any, text: str, said: str) -> None:
        assert said in failure(write(text, "plan.yaml"), *SPRING)

    def test_a_bad_period_is_refused(self, write: Any) -> None:
        path = write([])

        assert "--from: must be an RFC 3339 time" in failure(path, "--from", "spring", "--to", "2026-01-01")
        assert "to: must be after `from`" in failure(path, "--from", "2026-01-01", "--to", "2026-01-01")

    def test_a_file_that_is_not_there_is_told(self) -> None:
        assert "nowhere.json" in failure("nowhere.json", *SPRING)
