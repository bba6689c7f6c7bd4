"""The command `rota`. What a command needs is loaded when it runs, so that `rota --help` is quick."""

from __future__ import annotations

import typer

from rota.entrypoints.cli import (
    demo,
    doctor,
    events,
    importing,
    migrate,
    preview,
    runs,
    schedules,
    serve,
    simulate,
    token,
    up,
    worker,
)

app = typer.Typer(
    name="rota",
    help="A multi-tenant, event-driven scheduler: each due time is exactly one run or one recorded miss.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("migrate")(migrate.migrate)
app.command("token")(token.token)
app.command("preview")(preview.preview)
app.command("simulate")(simulate.simulate)
app.add_typer(schedules.app, name="schedules")
app.command("doctor")(doctor.doctor)
app.add_typer(runs.app, name="runs")
app.add_typer(events.app, name="events")
app.add_typer(importing.app, name="import")


def main() -> None:
    app()
