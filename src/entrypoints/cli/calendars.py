"""`rota calendars`: keep calendars, and see which days are open."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.arguments import BareFile, Calendar, File, NamePrefix, Set, the_file
from rota.entrypoints.cli.asking import Yes, ask
from rota.entrypoints.cli.calling import Desk, command
from rota.entrypoints.cli.lists import Asked, list_command

app = typer.Typer(name="calendars", help="Keep calendars, and see which days are open.", no_args_is_help=True)

From = Annotated[str | None, typer.Option("--from", help="The first day, as 2026-01-31.")]
To = Annotated[str | None, typer.Option("--to", help="The last day.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would come of it.")]


@list_command(app, "list", "rota calendars list --name DE")
def list_calendars(desk: Desk, name: NamePrefix = None) -> Asked[Any]:
    """List calendars, the newest first."""
    from rota.entrypoints.cli.listings import calendars_table

    return Asked(desk.api.list_calendars, calendars_table, {"name": name})


@command(app, "show", "rota calendars show DE-BY")
def show_calendar(desk: Desk, calendar: Calendar) -> None:
    """Show all that is known of one."""
    from rota.entrypoints.cli.finding import find_calendar
    from rota.entrypoints.cli.tables import details

    desk.tell(find_calendar(desk.api, calendar), details)


@command(app, "create", "rota calendars create -f calendars.yaml")
def create_calendars(desk: Desk, bare: BareFile = None, file: File = None) -> None:
    """Create the calendar that a file describes; those of a list one after the other, until one is refused."""
    from rota.entrypoints.cli.creating import create_each
    from rota.entrypoints.cli.documents import read_definitions

    definitions, _ = read_definitions(the_file(file, bare))
    create_each(desk, "calendars", desk.api.create_calendar, definitions)


@command(
    app,
    "patch",
    "rota calendars patch DE-BY --dry-run -f closures.yaml",
    "rota calendars patch shop --set description='Open on Saturdays'",
    also=("change", "update"),
)
def change_calendar(
    desk: Desk,
    calendar: Calendar,
    bare: BareFile = None,
    file: File = None,
    said: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Change fields of a calendar, and tell which schedules' next fires move; lists are replaced whole."""
    from rota.entrypoints.cli.documents import read_patch
    from rota.entrypoints.cli.finding import calendar_id
    from rota.entrypoints.cli.listings import changed_text

    patch = read_patch(file or bare, said or ())
    change = desk.api.would_change_calendar if dry_run else desk.api.change_calendar
    changed = change(calendar_id(desk.api, calendar), **patch)
    desk.tell(changed, lambda it: changed_text(it, would=dry_run))


@command(app, "delete", "rota calendars delete shop --yes")
def delete_calendar(desk: Desk, calendar: Calendar, yes: Yes = False) -> None:
    """Delete a calendar that nothing goes by."""
    from rota.entrypoints.cli.creating import tell_deleted
    from rota.entrypoints.cli.finding import find_calendar

    found = find_calendar(desk.api, calendar)
    ask(f"Delete calendar {found.name}?", yes=yes, as_json=desk.as_json)
    desk.api.delete_calendar(found.id)
    tell_deleted(desk, found)


@command(app, "days", "rota calendars days DE-BY --from 2026-12-20 --to 2027-01-07")
def list_days(desk: Desk, calendar: Calendar, from_: From = None, to: To = None) -> None:
    """Show each day, and why it is closed. Without days, 31 from today."""
    from rota.entrypoints.cli.finding import calendar_id
    from rota.entrypoints.cli.listings import days_table

    found = desk.api.list_days(calendar_id(desk.api, calendar), **{"from": from_, "to": to})
    desk.tell(found, days_table)


@command(app, "import", "rota calendars import shop holidays.ics --dry-run")
def import_days(
    desk: Desk,
    calendar: Calendar,
    file: Annotated[str, typer.Argument(metavar="FILE", help="An iCalendar file; - is standard input.")],
    from_: From = None,
    to: To = None,
    dry_run: DryRun = False,
) -> None:
    """Add the closed days of an iCalendar file to a calendar. Doing it again changes nothing."""
    from rota.entrypoints.cli.documents import read_bytes
    from rota.entrypoints.cli.finding import calendar_id
    from rota.entrypoints.cli.listings import imported_text

    how: dict[str, Any] = {"from": from_, "to": to, "dryRun": dry_run}
    imported = desk.api.import_days(calendar_id(desk.api, calendar), read_bytes(file), **how)
    desk.tell(imported, lambda it: imported_text(it, would=dry_run))


@command(app, "export", "rota calendars export DE-BY --from 2026-01-01 --to 2026-12-31 -o closed.ics")
def export_calendar(
    desk: Desk,
    calendar: Calendar,
    from_: From = None,
    to: To = None,
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Where it goes.")] = None,
) -> None:
    """Write the closed days as an iCalendar file, to standard output unless said. Without days, of this year and the
    next. With --json, the days as `calendars days` tells them.
    """
    from rota.entrypoints.cli.documents import write_bytes
    from rota.entrypoints.cli.finding import calendar_id

    span = {"from": from_, "to": to}
    own_id = calendar_id(desk.api, calendar)
    if desk.as_json:
        write_bytes(output, desk.api.list_days(own_id, **span).model_dump_json(by_alias=True).encode() + b"\n")
    else:
        write_bytes(output, desk.api.export_calendar(own_id, **span))
