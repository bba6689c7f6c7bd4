"""Following a redrive until it is over."""

from __future__ import annotations

import sys
import time

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rota.entrypoints.cli.calling import show_json
from rota.entrypoints.cli.tables import dead_table, show
from rota.entrypoints.sdk.client import RotaSync
from rota.entrypoints.sdk.models import Redrive, WouldRedrive

LOOK_EVERY = 0.5


def tell_what_it_would_take(would: WouldRedrive, *, as_json: bool) -> None:
    if as_json:
        show_json(would)
        return
    letters = "dead letter" if would.count == 1 else "dead letters"
    typer.echo(f"It would redrive {would.count} {letters}.")
    if would.groups:
        show(dead_table(would.groups))


def cancel_and_show(api: RotaSync, redrive_id: str, *, as_json: bool) -> None:
    redrive = api.cancel_redrive(redrive_id, "cancelled on the command line")
    show_json(redrive) if as_json else typer.echo(_sentence(redrive))


def follow_to_the_end(api: RotaSync, redrive_id: str, *, as_json: bool) -> None:
    """Progress goes to standard error, where that is a terminal. Raises typer.Exit unless it is DONE."""
    try:
        redrive = _watch(api, redrive_id)
    except KeyboardInterrupt:
        typer.echo(f"It goes on: rota runs redrive --follow {redrive_id}, or --cancel {redrive_id}", err=True)
        raise
    show_json(redrive) if as_json else typer.echo(_sentence(redrive))
    if redrive.state != "DONE":
        raise typer.Exit(1)


def _watch(api: RotaSync, redrive_id: str) -> Redrive:
    console = Console(file=sys.stderr)
    columns = (TextColumn("redriving"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[dead]} dead again"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        redrive = api.get_redrive(redrive_id)
        bar = progress.add_task("redrive", total=redrive.count, dead=0)
        while True:
            progress.update(bar, completed=redrive.made + redrive.passed, dead=redrive.dead)
            if redrive.is_over:
                return redrive
            time.sleep(LOOK_EVERY)
            redrive = api.get_redrive(redrive_id)


def _sentence(redrive: Redrive) -> str:
    said = f"{redrive.id} is {redrive.state}: {redrive.made} of {redrive.count} have a new run"
    if redrive.passed:
        said += f", {redrive.passed} were passed over"
    if redrive.dead:
        said += f", {redrive.dead} are dead again"
    return f"{said} ({redrive.reason})" if redrive.reason else said
