"""`rota preview`: when an expression would fire."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.calling import Desk
from rota.entrypoints.cli.completing import names_of

Expression = Annotated[
    str, typer.Argument(help='A cron expression ("0 9 * * 1-5"), or a rule ("FREQ=WEEKLY;BYDAY=MO").')
]
Zone = Annotated[str, typer.Option("--tz", envvar="DEFAULT_TZ", help="The zone whose clock it goes by.")]
OfCalendar = Annotated[
    str | None,
    typer.Option(
        "--calendar",
        metavar="CALENDAR",
        help="The calendar that closes or moves what it fires, by id or name.",
        autocompletion=names_of("calendars"),
    ),
]
OnClosed = Annotated[
    str, typer.Option("--on-closed", help="SKIP, NEXT_OPEN, PREVIOUS_OPEN or MODIFIED_FOLLOWING; with --calendar.")
]
From = Annotated[str | None, typer.Option("--from", help="The first instant asked about, as 2026-01-31T09:00:00Z.")]
Count = Annotated[int, typer.Option(min=1, max=1000, help="How many fires.")]

EXAMPLES = (
    "rota preview '0 9 * * 1-5' --tz Europe/Berlin --count 3",
    "rota preview '@monthly' --calendar DE-BY --on-closed NEXT_OPEN",
)


def preview(
    desk: Desk,
    expression: Expression,
    tz: Zone = "UTC",
    calendar: OfCalendar = None,
    on_closed: OnClosed = "SKIP",
    from_: From = None,
    count: Count = 10,
) -> None:
    """Tell when an expression would fire, from now on; nothing is stored."""
    from rota.entrypoints.cli.finding import calendar_id
    from rota.entrypoints.cli.run_tables import fires_table

    question: dict[str, Any] = {"count": count} | ({"from": from_} if from_ else {})
    if calendar is not None:
        question["calendar"] = {"calendarId": calendar_id(desk.api, calendar), "onClosed": on_closed.upper()}
    desk.tell(desk.api.preview(_trigger(expression), tz, **question), fires_table)


def _trigger(expression: str) -> dict[str, str]:
    if "FREQ=" in expression.upper():
        return {"type": "RRULE", "rrule": expression}
    return {"type": "CRON", "cron": expression}
