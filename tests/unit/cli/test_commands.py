"""What all commands have in common, whatever they do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer
from tests.unit.cli.conftest import Terminal
from tests.unit.http.conftest import Json
from typer.core import TyperGroup

from rota.entrypoints.cli.app import app

READING = (
    "list",
    "show",
    "fires",
    "misses",
    "explain",
    "days",
    "dead",
    "watch",
    "tail",
    "crontab",
    "preview",
    "doctor",
    "simulate",
    "token",
)


def every_command() -> Iterator[tuple[str, Any]]:
    """Those that are shown. (Any: Typer's commands are its own.)"""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    for name, command in root.commands.items():
        if isinstance(command, TyperGroup):
            own = {f"{name} {each}": it for each, it in command.commands.items() if not it.hidden}
            yield from own.items()
        else:
            yield name, command


COMMANDS = dict(every_command())


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_says_what_it_does_and_how_it_is_typed(name: str) -> None:
    command = COMMANDS[name]

    assert command.help.strip().endswith(".")
    assert len(command.short_help) <= 64
    assert f"rota {name}" in command.epilog
    for parameter in command.params:
        assert parameter.hidden or parameter.help, parameter.name


@pytest.mark.parametrize("name", [each for each in COMMANDS if each.split()[-1] in READING])
def test_what_reads_can_answer_in_json(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in COMMANDS[name].params)


class TestFiles:
    async def test_a_file_is_named_by_f_or_comes_by_standard_input(self, terminal: Terminal, tmp_path: Any) -> None:
        (tmp_path / "job.yaml").write_text("name: one")
        (tmp_path / "more.json").write_text('[{"name": "two"}, {"name": "three"}]')

        made = [await terminal.run("jobs", "create", "-f", str(tmp_path / file)) for file in ("job.yaml", "more.json")]

        assert [len(each.stdout.splitlines()) for each in made] == [1, 2]
        assert {each["name"] for each in (await terminal.json("jobs", "list"))["items"]} == {"one", "two", "three"}

    async def test_one_must_be_named(self, terminal: Terminal) -> None:
        result = await terminal.run("jobs", "create")

        assert result.exit_code == 2
        assert "say which file: -f FILE" in result.stderr


class TestDeleting:
    async def test_where_nobody_can_be_asked_it_must_be_said(self, terminal: Terminal, job: Json) -> None:
        line = await terminal.failure("jobs", "delete", "reports.daily")

        assert line == "rota: nothing is changed: nobody can be asked, so say --yes"
        assert (await terminal.run("jobs", "show", "reports.daily")).exit_code == 0

    async def test_what_is_gone_is_told(self, terminal: Terminal, job: Json) -> None:
        told = await terminal.json("jobs", "delete", "reports.daily", "--yes")

        assert told == {"id": job["id"], "name": "reports.daily", "isDeleted": True}


class TestCompletion:
    async def words(self, terminal: Terminal, line: str, shell: str = "bash", **environment: str) -> list[str]:
        """What the shell is offered at the end of a line."""
        words = line.split(" ")
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_TYPER_COMPLETE_ARGS": line}
        result = await terminal.run(_ROTA_COMPLETE=f"complete_{shell}", **asked, **environment)
        return result.stdout.split("\n")[:-1] if result.stdout.strip() else []

    async def test_commands_and_names(self, terminal: Terminal, job: Json) -> None:
        assert await self.words(terminal, "rota jobs sh") == ["show"]
        assert await self.words(terminal, "rota jobs show re") == ["reports.daily"]
        assert await self.words(terminal, "rota jobs show x") == []
        assert await self.words(terminal, "rota runs list --job r") == ["reports.daily"]

    async def test_bash_is_given_names_as_they_must_be_typed(self, terminal: Terminal, tmp_path: Any) -> None:
        (tmp_path / "job.yaml").write_text("name: it's mine")
        await terminal.run("jobs", "create", "-f", str(tmp_path / "job.yaml"))

        assert await self.words(terminal, "rota jobs show i") == [r"it\'s\ mine"]

    async def test_where_no_server_answers_it_is_silent(self, terminal: Terminal) -> None:
        assert await self.words(terminal, "rota jobs show re", ROTA_URL="http://127.0.0.1:9") == []
        assert await self.words(terminal, "rota jobs show re", ROTA_URL="") == []


async def test_it_tells_its_version(terminal: Terminal) -> None:
    told = await terminal.run("--version")

    assert (told.exit_code, told.stdout) == (0, f"rota {version('rota')}\n")
