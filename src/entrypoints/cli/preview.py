"""`rota preview`: when an expression would fire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from rota.entrypoints.cli.calling import AsJson, Tenant, Token, Url

if TYPE_CHECKING:
    from rota.entrypoints.sdk.client import RotaSync

Expression = Annotated[
    str, typer.Argument(help='A cron expression ("0 9 * * 1-5"), or a rule ("FREQ=WEEKLY;BYDAY=MO").')
]
Zone = Annotated[str, typer.Option("--tz", envvar="DEFAULT_TZ", help="The zone whose clock it goes by.")]
Calendar = Annotated[
    str | None, typer.Option(metavar="ID|NAME", help="The calendar that closes or moves what it fires.")
]
OnClosed = Annotated[
    str, typer.Option("--on-closed", help="SKIP, NEXT_OPEN, PREVIOUS_OPEN or MODIFIED_FOLLOWING; with --calendar.")
]
From = Annotated[str | None, typer.Option("--from", help="The first instant asked about, as 2026-01-31T09:00:00Z.")]
Count = Annotated[int, typer.Option(min=1, max=1000, help="How many fires.")]


def preview(
    expression: Expression,
    tz: Zone = "UTC",
    calendar: Calendar = None,
    on_closed: OnClosed = "SKIP",
    from_: From = None,
    count: Count = 10,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Tell when an expression would fire, from now on; nothing is stored."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.tables import fires_table, show

    with calling(url, token, tenant) as api:
        question: dict[str, Any] = {"count": count} | ({"from": from_} if from_ else {})
        if calendar is not None:
            question["calendar"] = {"calendarId": _calendar_id(api, calendar), "onClosed": on_closed.upper()}
        found = api.preview(_trigger(expression), tz, **question)
    if as_json:
        show_json(found)
    elif found.fires:
        show(fires_table(found.fires))
    else:
        typer.echo("Nothing comes.")


def _trigger(expression: str) -> dict[str, str]:
    if "FREQ=" in expression.upper():
        return {"type": "RRULE", "rrule": expression}
    return {"type": "CRON", "cron": expression}


def _calendar_id(api: RotaSync, said: str) -> str:
    """Of the calendar with that id or name. Ends the command where no calendar has the name."""
    from rota.entrypoints.cli.fail import fail

    try:
        return str(UUID(said))
    except ValueError:
        named = (each for each in api.list_calendars(name=said, limit=200).items if each.name == said)
    found = next(named, None)
    if found is None:
        fail(f"--calendar: there is no calendar {said!r}")
    return found.id
