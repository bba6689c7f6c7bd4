"""`rota simulate`: what a file of schedules would fire in a period."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON or YAML: {schedules: […], calendars: […]}, as the API takes them.")
]
From = Annotated[str, typer.Option("--from", help="The first instant, as 2026-01-31T09:00:00Z or 2026-01-31.")]
To = Annotated[str, typer.Option("--to", help="The first instant behind the period.")]
Zone = Annotated[str, typer.Option("--tz", envvar="DEFAULT_TZ", help="The zone of schedules that name none.")]


def simulate(
    file: File,
    from_: From,
    to: To,
    summary: Annotated[bool, typer.Option("--summary", help="Only how many fires each schedule has.")] = False,
    notes: Annotated[bool, typer.Option("--notes", help="With what touched them: clock, calendar, spread.")] = False,
    tz: Zone = "UTC",
    tenant: Annotated[str, typer.Option(help="Whose schedules these are; EVENT triggers name it.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Tell when the schedules of a file would fire, in order, over any period. Needs no server, and takes no time."""
    from rota.entrypoints.cli.fail import failing_clearly
    from rota.entrypoints.cli.simulating import tell_fires, tell_summary

    with failing_clearly():
        if summary:
            tell_summary(file, from_, to, tz, tenant, as_json=as_json)
        else:
            tell_fires(file, from_, to, tz, tenant, as_json=as_json, notes=notes)
