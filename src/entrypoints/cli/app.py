"""The command `rota`. What a command needs is loaded when it runs, so that `rota --help` is quick."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rota.entrypoints.cli import (
    apply,
    backfills,
    calendars,
    demo,
    doctor,
    events,
    importing,
    jobs,
    migrate,
    preview,
    runs,
    schedules,
    schedules_firing,
    serve,
    simulate,
    token,
    up,
    worker,
    workers,
)
from rota.entrypoints.cli.calling import Command, command
from rota.entrypoints.cli.extras import naming_the_extra
from rota.entrypoints.cli.helping import examples_text, help_text, texts

HERE, THERE = "Run it", "Work with it"

HELP = """A multi-tenant, event-driven scheduler: each due time is exactly one run or one recorded miss.

The commands that work with a server go to ROTA_URL with ROTA_TOKEN; `rota up` prints both. The exit status is 0 if
all went well, 1 if something was refused or has failed, 2 if the command was called wrongly, 130 after Ctrl-C.
"""

app = typer.Typer(
    name="rota",
    epilog=examples_text(("rota up", "rota schedules create -f daily.yaml", "rota runs list --watch", "rota doctor")),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
)


def _add(name: str, function: Command, *examples: str) -> None:
    app.command(name, rich_help_panel=HERE, **texts(function.__doc__, examples))(function)


_add("up", up.up, "rota up", "rota up --port 0 --data-dir ./data --ready-file ready.json")
_add("demo", demo.demo, "rota demo")
_add("serve", serve.serve, "rota serve", "rota serve --roles leader,relay,reports,targets")
_add("worker", worker.worker, "rota worker tasks:worker")
_add("migrate", migrate.migrate, "POSTGRES_URL=postgresql://rota:…@db/rota rota migrate")
_add(
    "token",
    token.token,
    "rota token --tenant acme --scope scheduler:admin",
    "rota token --tenant '*' --scope scheduler:read --ttl 600 --json",
)
_add("doctor", doctor.doctor, "rota doctor", "rota doctor --data-dir ./data --json")
_add("simulate", simulate.simulate, "rota simulate plan.yaml --from 2026-01-01 --to 2027-01-01 --summary")
command(app, "apply", *apply.EXAMPLES, panel=THERE)(apply.apply)
command(app, "preview", *preview.EXAMPLES, panel=THERE)(preview.preview)
schedules.app.add_typer(schedules_firing.app)
for _group in (schedules, jobs, runs, workers, calendars, backfills, events, importing):
    app.add_typer(_group.app, name=_group.app.info.name, rich_help_panel=THERE)


def _tell_version(wanted: bool) -> None:
    from importlib.metadata import version

    if wanted:
        typer.echo(f"rota {version('rota')}")
        raise typer.Exit


@app.callback(help=help_text(HELP))
def rota(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version, and end.")
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """Help and errors have boxes and colours where somebody looks at them, and are plain text elsewhere."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        app.rich_markup_mode = "rich"
    with naming_the_extra():
        app()
