"""Following a backfill until its runs have ended."""

from __future__ import annotations

import sys
import time

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rota.entrypoints.cli.calling import show_json
from rota.entrypoints.sdk.client import RotaSync
from rota.entrypoints.sdk.models import Backfill

LOOK_EVERY = 0.5


def follow_to_the_end(api: RotaSync, backfill_id: str, *, as_json: bool) -> None:
    """Progress goes to standard error, where that is a terminal. Raises typer.Exit unless it is DONE."""
    try:
        backfill = _watch(api, backfill_id)
    except KeyboardInterrupt:
        typer.echo(f"It goes on: rota backfills show --follow {backfill_id}, or cancel {backfill_id}", err=True)
        raise
    show_json(backfill) if as_json else typer.echo(sentence(backfill))
    if backfill.state != "DONE":
        raise typer.Exit(1)


def _watch(api: RotaSync, backfill_id: str) -> Backfill:
    console = Console(file=sys.stderr)
    columns = (TextColumn("filling in"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[dead]} dead"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        backfill = api.get_backfill(backfill_id)
        bar = progress.add_task("backfill", total=backfill.count, dead=0)
        while True:
            progress.update(bar, completed=backfill.made - backfill.unfinished, dead=backfill.dead)
            if backfill.is_over:
                return backfill
            time.sleep(LOOK_EVERY)
            backfill = api.get_backfill(backfill_id)


def sentence(backfill: Backfill) -> str:
    said = f"{backfill.id} is {backfill.state}: {backfill.made} of {backfill.count} runs are made"
    for count, what in (
        (backfill.unfinished, "not ended yet"),
        (backfill.dead, "dead"),
        (backfill.cancelled, "cancelled"),
    ):
        if count:
            said += f", {count} {what}"
    return f"{said} ({backfill.reason})" if backfill.reason else said
