"""docs/command-line.md says what there is."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.core import TyperGroup

from rota.entrypoints.cli.app import app

DOCUMENT = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text()
GROUPS = ("schedules", "jobs", "runs", "workers", "calendars", "backfills", "events")


def commands() -> set[str]:
    """`schedules list` and its like, those aside that are only there for habit."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    found = set()
    for name in GROUPS:
        group = root.commands[name]
        assert isinstance(group, TyperGroup)
        found |= {f"{name} {command}" for command, it in group.commands.items() if not it.hidden}
    return found


def documented() -> set[str]:
    spans = re.findall(rf"`((?:{'|'.join(GROUPS)}) [a-z]+)", DOCUMENT)
    return {*spans, *(f"{name} patch" for name in ("jobs", "calendars"))}


def test_every_documented_command_is_there() -> None:
    assert documented() <= commands()
