"""The command line against a real `rota up`: each command is a process of its own, as a user has it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from tests.e2e.test_up import PATIENCE, Json, Up, a_directory, an_up, command, environment, one_line, rota

SET = """
calendars:
  - name: DE-BY
    tz: Europe/Berlin
    holidays: [{kind: COUNTRY, country: DE, subdivision: BY}]
jobs:
  - name: reports.daily
    maxConcurrent: 3
schedules:
  - name: daily
    tz: Europe/Berlin
    trigger: {type: CRON, cron: 0 9 * * *}
    target: {kind: JOB, job: reports.daily}
    calendar: {name: DE-BY, onClosed: NEXT_OPEN}
  - name: told
    trigger: {type: CRON, cron: 0 0 1 1 *}
    target: {kind: EVENT, eventTopic: orders.due, payload: {n: 1}}
"""


class Desk:
    """Where somebody sits with a server's address and token."""

    def __init__(self, up: Up, directory: Path) -> None:
        self.directory = directory
        self._settings = {"ROTA_URL": up.ready["url"], "ROTA_TOKEN": up.ready["token"]}

    def types(self, *words: str) -> CompletedProcess[str]:
        return rota(*words, cwd=self.directory, **self._settings)

    def gets(self, *words: str) -> str:
        """What a command that succeeds prints."""
        ended = self.types(*words)
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
        return ended.stdout

    def reads(self, *words: str) -> Any:  # Any: JSON
        return json.loads(self.gets(*words, "--json"))


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with a_directory() as directory, an_up(directory) as up:
        yield up


@pytest.fixture
def desk(up: Up, tmp_path: Path) -> Desk:
    return Desk(up, tmp_path)


def test_a_set_of_things_is_kept_as_a_file_says(up: Up, desk: Desk) -> None:
    file = desk.directory / "shop.yaml"
    file.write_text(SET)

    made = desk.gets("apply", "-f", "shop.yaml", "--yes")
    again = desk.gets("apply", "-f", "shop.yaml", "--yes", "--prune")
    file.write_text(SET.replace("maxConcurrent: 3", "maxConcurrent: 5").replace("name: told", "name: told too"))
    changed = desk.reads("apply", "-f", "shop.yaml", "--yes", "--prune")

    assert made.splitlines()[-2:] == ["shop: 4 to create, 0 to change, 0 to delete, 0 as they are", "Done."]
    assert again == "shop: 0 to create, 0 to change, 0 to delete, 4 as they are\n"
    assert [(each["action"], each["kind"], each["name"]) for each in changed["changes"]] == [
        ("UPDATE", "job", "reports.daily"),
        ("CREATE", "schedule", "told too"),
        ("DELETE", "schedule", "told"),
    ]
    assert {each["name"] for each in up.get("/schedules", label="rota-owner:shop")["items"]} == {"daily", "told too"}
    assert desk.reads("jobs", "show", "reports.daily")["maxConcurrent"] == 5


def test_a_schedule_is_made_looked_at_fired_and_deleted(up: Up, desk: Desk) -> None:
    definition = {
        "name": "now", "tz": "Europe/Berlin", "trigger": {"type": "CRON", "cron": "0 9 1 1 *"},
        "target": {"kind": "EVENT", "eventTopic": "orders.due"},
    }  # fmt: skip
    (desk.directory / "now.json").write_text(json.dumps(definition))

    own_id = one_line(desk.gets("schedules", "create", "now.json"))
    run_id = one_line(desk.gets("schedules", "trigger", "now", "--payload", '{"n": 2}'))
    watched = desk.gets("schedules", "watch", "now", "--count", "1")
    skipped = desk.reads("schedules", "skip", "now")
    fires = desk.reads("schedules", "fires", "now", "--count", "1")["fires"]
    patched = desk.reads("schedules", "patch", "now", "--set", "trigger.type=CRON", "--set", "trigger.cron=0 9 * * *")
    desk.gets("schedules", "disable", "now", "--reason", "enough")
    resting = desk.reads("schedules", "show", "now")
    listed = desk.gets("schedules", "list", "--name", "now")
    desk.gets("schedules", "enable", "now")
    desk.gets("schedules", "delete", "now", "--yes")

    assert f"{run_id} SUCCEEDED" in watched.splitlines()[-1]
    assert len(skipped["skipped"]) == 1
    assert fires[0]["at"] > skipped["skipped"][0]["dueAt"]
    assert patched["trigger"]["cron"] == "0 9 * * *"
    assert (resting["id"], resting["enabled"]) == (own_id, False)
    assert own_id in listed
    assert "no schedule is named now" in desk.types("schedules", "show", "now").stderr


def test_a_calendar_is_written_to_a_file_and_read_from_one(desk: Desk) -> None:
    (desk.directory / "calendar.yaml").write_text(
        "{name: Bavaria, holidays: [{kind: COUNTRY, country: DE, subdivision: BY}]}"
    )
    (desk.directory / "other.yaml").write_text("name: other")

    desk.gets("calendars", "create", "calendar.yaml")
    desk.gets("calendars", "create", "other.yaml")
    desk.gets("calendars", "export", "Bavaria", "--from", "2026-05-25", "--to", "2026-05-25", "-o", "days.ics")
    desk.gets("calendars", "import", "other", "days.ics", "--from", "2026-01-01")
    days = desk.reads("calendars", "days", "other", "--from", "2026-05-25", "--to", "2026-05-26")["days"]

    assert [(each["date"], each["open"]) for each in days] == [("2026-05-25", False), ("2026-05-26", True)]


def test_a_worker_is_sent_home(up: Up, desk: Desk) -> None:
    registered: Json = up.post("/workers/register", {"name": "ada", "jobs": [{"name": "hello"}], "slots": 5})

    drained = desk.reads("workers", "drain", "ada")

    assert (drained["id"], drained["state"]) == (registered["workerId"], "DRAINING")
    assert registered["workerId"] in desk.gets("workers", "list")


def test_what_the_server_refuses_is_told_in_one_line_with_the_fields(desk: Desk) -> None:
    (desk.directory / "wrong.yaml").write_text(
        "[{name: a}, {name: b, trigger: {type: CRON, cron: x}, target: {kind: X}}]"
    )

    refused = desk.types("schedules", "create", "wrong.yaml")

    assert (refused.returncode, refused.stdout) == (1, "")
    for field in ("0.trigger: ", "0.target: ", "1.target"):
        assert field in one_line(refused.stderr)


def test_a_run_is_followed_and_its_end_is_the_commands(up: Up, desk: Desk) -> None:
    (desk.directory / "told.yaml").write_text(
        "{name: to follow, trigger: {type: CRON, cron: 0 0 1 1 *}, target: {kind: EVENT, eventTopic: orders.due}}"
    )
    desk.gets("schedules", "create", "-f", "told.yaml")

    followed = desk.gets("schedules", "trigger", "to follow", "--watch").splitlines()
    run_id = followed[-1].split()[1]
    listed = desk.reads("runs", "list", "--schedule", "to follow", "--all")["items"]
    cancelled = up.post("/runs", {"job": up.a_job("nobody"), "runAt": "2030-01-01T00:00:00Z"})["id"]
    desk.gets("runs", "cancel", cancelled, "--reason", "enough")
    failed = desk.types("runs", "watch", cancelled)

    assert followed[-1].endswith("SUCCEEDED")
    assert [each["id"] for each in listed] == [run_id]
    assert (failed.returncode, failed.stderr) == (1, "")
    assert failed.stdout.endswith("CANCELLED enough\n")


def heed_ctrl_c() -> None:
    """A shell that starts something in the background has it ignore Ctrl-C, tests included."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_list_is_watched_until_somebody_presses_ctrl_c(up: Up, desk: Desk) -> None:
    with subprocess.Popen(
        command("workers", "list", "--watch", "--json"),
        env=environment(ROTA_URL=up.ready["url"], ROTA_TOKEN=up.ready["token"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    ) as process:
        assert process.stdout is not None
        before = json.loads(process.stdout.readline())["items"]
        up.post("/workers/register", {"name": "grace", "jobs": [{"name": "hello"}], "slots": 5})
        after = json.loads(process.stdout.readline())["items"]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)

    assert len(after) > len(before)
    assert (process.returncode, errors) == (130, "")


def test_bash_completes_names(up: Up, desk: Desk) -> None:
    up.a_job("to.complete")
    program = desk.directory / "rota"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.argv[0] = 'rota'\nfrom rota.entrypoints.cli.app import main\nmain()\n"
    )
    program.chmod(0o755)
    script = """
        PATH=$PWD:$PATH
        source <(_ROTA_COMPLETE=source_bash rota)
        COMP_WORDS=(rota jobs show to.); COMP_CWORD=3
        _rota_completion rota
        echo "${COMPREPLY[@]}"
    """
    settings = {"ROTA_URL": up.ready["url"], "ROTA_TOKEN": up.ready["token"]}

    told = subprocess.run(
        ["bash", "-c", script],
        cwd=desk.directory,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == "to.complete\n"
