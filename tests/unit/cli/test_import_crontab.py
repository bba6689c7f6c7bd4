"""`rota import crontab`"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json

CRONTAB = """\
MAILTO=ops@example.com

# Nightly backup
30 4 * * mon-fri /usr/bin/backup --all
CRON_TZ=Europe/Berlin
@daily report%Dear all,
@reboot start
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.write_text(CRONTAB)
    return path


async def schedules(acme: httpx.AsyncClient) -> dict[str, Json]:
    found = (await acme.get("/schedules", params={"limit": 200})).json()["items"]
    return {each["name"]: each for each in found}


async def apply(terminal: Terminal, file: Path, *more: str) -> list[str]:
    result = await terminal.run("import", "crontab", str(file), "--apply", *more)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.stdout.splitlines()


async def test_a_report_comes_first_and_changes_nothing(
    acme: httpx.AsyncClient, terminal: Terminal, file: Path
) -> None:
    result = await terminal.run("import", "crontab", str(file), "--tz", "Asia/Tokyo")

    assert result.stdout.splitlines() == [
        "Crontab root; lines without CRON_TZ are in Asia/Tokyo.",
        "+ job crontab",
        "+ line 4: 30 4 * * mon-fri Asia/Tokyo  root: /usr/bin/backup --all  # Nightly backup",
        "+ line 6: @daily Europe/Berlin  root: report",
        "! line 7 cannot be taken over: @reboot names no time: it runs when a machine starts, which nothing here does",
        "  line 1: MAILTO is part of the commands' environment and is not taken over",
        "2 new, 1 not taken over. Nothing was changed yet: --apply does it.",
    ]
    assert await schedules(acme) == {}
    assert (await acme.get("/jobs")).json()["items"] == []


async def test_each_line_becomes_a_schedule(acme: httpx.AsyncClient, terminal: Terminal, file: Path) -> None:
    last = (await apply(terminal, file))[-1]

    found = await schedules(acme)
    backup, report = found["root: /usr/bin/backup --all"], found["root: report"]
    assert last == "2 new, 1 not taken over. Done."
    assert (backup["description"], backup["tz"], backup["labels"]) == ("Nightly backup", "UTC", {"crontab": "root"})
    assert backup["trigger"]["cron"] == "30 4 * * mon-fri"
    assert backup["target"] == {"kind": "JOB", "job": "crontab", "payload": {"command": "/usr/bin/backup --all"}}
    assert (report["tz"], report["target"]["payload"]["stdin"]) == ("Europe/Berlin", "Dear all,")


async def test_the_job_that_carries_them_out_does_not_try_again(
    acme: httpx.AsyncClient, terminal: Terminal, file: Path
) -> None:
    await apply(terminal, file)

    [job] = (await acme.get("/jobs")).json()["items"]
    assert (job["name"], job["retry"]["maxAttempts"]) == ("crontab", 1)


async def test_a_job_that_is_there_stays_as_it_is(acme: httpx.AsyncClient, terminal: Terminal, file: Path) -> None:
    await acme.post("/jobs", json={"name": "shell", "timeoutSec": 5})

    lines = await apply(terminal, file, "--job", "shell")

    [job] = (await acme.get("/jobs")).json()["items"]
    assert (job["name"], job["timeoutSec"], job["version"]) == ("shell", 5, 1)
    assert not any(line.startswith("+ job") for line in lines)


async def test_applied_twice_it_changes_nothing(acme: httpx.AsyncClient, terminal: Terminal, file: Path) -> None:
    await apply(terminal, file)
    before = await schedules(acme)

    lines = await apply(terminal, file)

    assert lines[-1] == "2 as they were, 1 not taken over. There is nothing to do."
    assert await schedules(acme) == before


async def test_what_the_file_says_otherwise_is_changed_and_nothing_else(
    acme: httpx.AsyncClient, terminal: Terminal, file: Path
) -> None:
    await apply(terminal, file)
    before = await schedules(acme)
    dst = {"gap": "SKIP", "overlap": "LAST"}
    backup = before["root: /usr/bin/backup --all"]
    own = {"trigger": {"type": "CRON", "cron": "30 4 * * mon-fri", "dst": dst}, "overlap": "SKIP"}
    (await acme.patch(f"/schedules/{backup['id']}", json=own)).raise_for_status()
    file.write_text(CRONTAB.replace("30 4", "0 5").replace("# Nightly", "# Early").replace("@reboot start\n", ""))

    lines = await apply(terminal, file)

    after = await schedules(acme)
    name = "root: /usr/bin/backup --all"
    assert lines[1:] == [
        f"~ line 4: {name}: trigger 30 4 * * mon-fri -> 0 5 * * mon-fri",
        f"~ line 4: {name}: description Nightly backup -> Early backup",
        "  line 1: MAILTO is part of the commands' environment and is not taken over",
        "1 changed, 1 as they were. Done.",
    ]
    assert after[name]["trigger"] == {"type": "CRON", "cron": "0 5 * * mon-fri", "dst": dst}
    assert (after[name]["description"], after[name]["overlap"]) == ("Early backup", "SKIP")
    assert after["root: report"] == before["root: report"]


async def test_lines_that_are_gone_are_told_and_left(acme: httpx.AsyncClient, terminal: Terminal, file: Path) -> None:
    await apply(terminal, file)
    file.write_text("@daily report%Dear all,\n")

    lines = await apply(terminal, file, "--tz", "Europe/Berlin")

    assert lines[1:] == [
        "- root: /usr/bin/backup --all: in the file no more, and left as it is",
        "1 as they were, 1 in the file no more. There is nothing to do.",
    ]
    assert len(await schedules(acme)) == 2


async def test_lines_with_one_command_are_told_apart(acme: httpx.AsyncClient, terminal: Terminal, file: Path) -> None:
    file.write_text("0 1 * * * run\n0 2 * * * run\n")

    await apply(terminal, file, "--name", "web1")

    found = await schedules(acme)
    assert {name: each["trigger"]["cron"] for name, each in found.items()} == {
        "web1: run": "0 1 * * *",
        "web1: run (2)": "0 2 * * *",
    }


async def test_a_long_command_has_a_name_that_ends_in_dots(
    acme: httpx.AsyncClient, terminal: Terminal, file: Path
) -> None:
    file.write_text(f"0 1 * * * {'x' * 500}\n0 2 * * * {'x' * 500}\n")

    await apply(terminal, file)

    names = [*await schedules(acme)]
    assert {len(name) for name in names} == {200}
    assert sum(name.endswith("… (2)") for name in names) == 1


async def test_the_system_form_has_a_user(acme: httpx.AsyncClient, terminal: Terminal, file: Path) -> None:
    file.write_text("17 * * * * root run-parts /etc/cron.hourly\n")

    await apply(terminal, file, "--system", "--name", "etc")

    [(name, schedule)] = (await schedules(acme)).items()
    assert name == "etc: root: run-parts /etc/cron.hourly"
    assert schedule["target"]["payload"] == {"command": "run-parts /etc/cron.hourly", "user": "root"}


async def test_two_crontabs_leave_each_other_alone(acme: httpx.AsyncClient, terminal: Terminal, file: Path) -> None:
    await apply(terminal, file, "--name", "one")
    lines = await apply(terminal, file, "--name", "two")

    assert lines[-1] == "2 new, 1 not taken over. Done."
    assert len(await schedules(acme)) == 4


async def test_a_name_that_is_taken_by_another_schedule_is_refused(
    acme: httpx.AsyncClient, terminal: Terminal, file: Path
) -> None:
    await acme.post("/jobs", json={"name": "mine"})
    mine = {
        "name": "root: report",
        "trigger": {"type": "CRON", "cron": "@daily"},
        "target": {"kind": "JOB", "job": "mine"},
    }
    (await acme.post("/schedules", json=mine)).raise_for_status()

    result = await terminal.run("import", "crontab", str(file), "--apply")

    assert result.exit_code == 1
    assert "root: report" in result.stderr
    assert list(await schedules(acme)) == ["root: report"]


async def test_as_json_it_tells_the_same(terminal: Terminal, file: Path) -> None:
    file.write_text(CRONTAB.replace("@reboot start\n", ""))

    found = await terminal.json("import", "crontab", str(file), "--apply")

    assert (found["name"], found["isApplied"], found["newJob"]) == ("root", True, "crontab")
    assert [(each["line"], each["name"]) for each in found["new"]] == [
        (4, "root: /usr/bin/backup --all"),
        (6, "root: report"),
    ]
    assert [each["line"] for each in found["notes"]] == [1]
    assert found["changed"] == found["same"] == found["gone"] == found["faults"] == []


async def test_a_line_that_cannot_be_taken_over_ends_in_failure_and_the_others_are(
    acme: httpx.AsyncClient, terminal: Terminal, file: Path
) -> None:
    result = await terminal.run("import", "crontab", str(file), "--apply")

    assert result.exit_code == 1
    assert len(await schedules(acme)) == 2


async def test_what_cannot_be_read_is_refused_in_one_line(terminal: Terminal, file: Path, tmp_path: Path) -> None:
    words = ("import", "crontab")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    assert "No such file" in await terminal.failure(*words, str(tmp_path / "none"))
    assert "binary" in await terminal.failure(*words, str(tmp_path / "binary"))
    assert await terminal.failure(*words, str(file), "--tz", "Mars/Olympus") == (
        "rota: --tz: unknown time zone; an IANA name such as Europe/Berlin is needed"
    )
    assert "--name" in await terminal.failure(*words, str(file), "--name", "x" * 64)
