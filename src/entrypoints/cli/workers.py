"""`rota workers`: see who works, and send workers home."""

from __future__ import annotations

from typing import Any

import typer

from rota.entrypoints.cli.arguments import Worker
from rota.entrypoints.cli.calling import Desk, command
from rota.entrypoints.cli.lists import Asked, list_command

app = typer.Typer(name="workers", help="See who works, and send workers home.", no_args_is_help=True)


@list_command(app, "list", "rota workers list --watch")
def list_workers(desk: Desk) -> Asked[Any]:
    """List workers, the newest first."""
    from rota.entrypoints.cli.listings import workers_table

    return Asked(desk.api.list_workers, workers_table, {})


@command(app, "show", "rota workers show ada")
def show_worker(desk: Desk, worker: Worker) -> None:
    """Show all that is known of one."""
    from rota.entrypoints.cli.finding import find_worker
    from rota.entrypoints.cli.tables import details

    desk.tell(find_worker(desk.api, worker), details)


@command(app, "drain", "rota workers drain ada")
def drain_worker(desk: Desk, worker: Worker) -> None:
    """Have a worker take no new runs: it ends when those that it has are over or handed back."""
    from rota.entrypoints.cli.finding import worker_id

    found = desk.api.drain_worker(worker_id(desk.api, worker))
    desk.tell(found, lambda it: f"{it.name} is {it.state}, with {it.running} runs to end")
