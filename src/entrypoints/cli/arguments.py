"""What commands are told: which thing is meant, and what is in a file."""

from __future__ import annotations

from typing import Annotated

import typer

from rota.entrypoints.cli.completing import names_of

Schedule = Annotated[
    str,
    typer.Argument(metavar="SCHEDULE", help="The schedule's id or name.", autocompletion=names_of("schedules")),
]
Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id or name.", autocompletion=names_of("jobs"))]
Calendar = Annotated[
    str,
    typer.Argument(metavar="CALENDAR", help="The calendar's id or name.", autocompletion=names_of("calendars")),
]
Worker = Annotated[
    str,
    typer.Argument(
        metavar="WORKER",
        help="The worker's id, or its name if no other has it.",
        autocompletion=names_of("workers"),
    ),
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
Backfill = Annotated[str, typer.Argument(metavar="BACKFILL", help="The backfill's id.")]

OfSchedule = Annotated[
    str | None,
    typer.Option(
        "--schedule", metavar="SCHEDULE", help="Only those of this schedule.", autocompletion=names_of("schedules")
    ),
]
OfJob = Annotated[
    str | None,
    typer.Option("--job", metavar="NAME", help="Only those of this job.", autocompletion=names_of("jobs")),
]

NamePrefix = Annotated[str | None, typer.Option("--name", metavar="PREFIX", help="Only those whose names begin so.")]

File = Annotated[str | None, typer.Option("--file", "-f", metavar="FILE", help="YAML or JSON; - is standard input.")]
BareFile = Annotated[str | None, typer.Argument(metavar="[FILE]", hidden=True)]
"""The same without -f."""
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="As in misfire.graceSec=60; null is the default; repeatable."),
]
Payload = Annotated[str | None, typer.Option(metavar="JSON", help="In place of the payload that it would have.")]


def the_file(file: str | None, bare: str | None) -> str:
    """Ends the command where none, or two are said."""
    if file and bare:
        raise typer.BadParameter("one file, please")
    said = file or bare
    if not said:
        raise typer.BadParameter("say which file: -f FILE, or -f - for standard input")
    return said
