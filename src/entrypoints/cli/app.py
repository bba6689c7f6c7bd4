"""The command `rota`. What a command needs is loaded when it runs, so that `rota --help` is quick."""

from __future__ import annotations

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
from rota.entrypoints.cli.extras import naming_the_extra

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
app.command("apply")(apply.apply)
app.command("simulate")(simulate.simulate)
app.command("doctor")(doctor.doctor)
app.command("preview")(preview.preview)
schedules.app.add_typer(schedules_firing.app)
app.add_typer(schedules.app, name="schedules")
app.add_typer(jobs.app, name="jobs")
app.add_typer(runs.app, name="runs")
app.add_typer(workers.app, name="workers")
app.add_typer(calendars.app, name="calendars")
app.add_typer(events.app, name="events")
app.add_typer(backfills.app, name="backfills")
app.add_typer(importing.app, name="import")


def main() -> None:
    with naming_the_extra():
        app()
