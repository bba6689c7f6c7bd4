"""`rota calendars`: keep calendars, and see which days are open."""

from __future__ import annotations

from typing import Annotated

import typer

from rota.entrypoints.cli.calling import AsJson, Cursor, File, Limit, PatchFile, Set, Tenant, Token, Url

app = typer.Typer(name="calendars", help="Keep calendars, and see which days are open.", no_args_is_help=True)

Calendar = Annotated[str, typer.Argument(metavar="CALENDAR", help="The calendar's id or name.")]
From = Annotated[str | None, typer.Option("--from", help="The first day, as 2026-01-31.")]
To = Annotated[str | None, typer.Option("--to", help="The last day.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would come of it.")]


@app.callback()
def calendars() -> None:
    """Keep calendars, and see which days are open."""


@app.command("list")
def list_calendars(
    name: Annotated[str | None, typer.Option(help="Only those whose names begin so.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """List calendars, the newest first."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.listings import calendars_table
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        page = api.list_calendars(name=name, limit=limit, cursor=cursor)
    show_json(page) if as_json else show(calendars_table(page))


@app.command("show")
def show_calendar(
    calendar: Calendar, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None
) -> None:
    """Show all that is known of one."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import find_calendar
    from rota.entrypoints.cli.listings import details
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        found = find_calendar(api, calendar)
    show_json(found) if as_json else show(details(found))


@app.command("create")
def create_calendars(
    file: File, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None
) -> None:
    """Create the calendar that a file describes; those of a list one after the other, until one is refused."""
    from rota.entrypoints.cli.calling import calling, show_made
    from rota.entrypoints.cli.documents import read_definitions

    with calling(url, token, tenant) as api:
        definitions, _ = read_definitions(file)
        made = (api.create_calendar(**each) for each in definitions)
        show_made(made, as_json=as_json)


@app.command("update", hidden=True)
@app.command("patch")
def change_calendar(
    calendar: Calendar,
    file: PatchFile = None,
    said: Set = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Change fields of a calendar, and tell which schedules' next fires move; lists are replaced whole."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.documents import read_patch
    from rota.entrypoints.cli.finding import calendar_id
    from rota.entrypoints.cli.listings import show_moved

    with calling(url, token, tenant) as api:
        patch = read_patch(file, said or ())
        change = api.would_change_calendar if dry_run else api.change_calendar
        changed = change(calendar_id(api, calendar), **patch)
    if as_json:
        show_json(changed)
        return
    typer.echo(f"{changed.name} {'would be' if dry_run else 'is'} at version {changed.version}")
    show_moved(changed.affected, would=dry_run)


@app.command("delete")
def delete_calendar(calendar: Calendar, url: Url = "", token: Token = "", tenant: Tenant = None) -> None:
    """Delete a calendar that nothing goes by."""
    from rota.entrypoints.cli.calling import calling
    from rota.entrypoints.cli.finding import calendar_id

    with calling(url, token, tenant) as api:
        api.delete_calendar(calendar_id(api, calendar))
    typer.echo(f"{calendar} is deleted")


@app.command("days")
def list_days(
    calendar: Calendar,
    from_: From = None,
    to: To = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Show each day, and why it is closed. Without days, 31 from today."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import calendar_id
    from rota.entrypoints.cli.listings import days_table
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        found = api.list_days(calendar_id(api, calendar), **{"from": from_, "to": to})
    show_json(found) if as_json else show(days_table(found.days))


@app.command("import")
def import_days(
    calendar: Calendar,
    file: Annotated[str, typer.Argument(metavar="FILE", help="An iCalendar file; - is standard input.")],
    from_: From = None,
    to: To = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Add the closed days of an iCalendar file to a calendar. Doing it again changes nothing."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.documents import read_bytes
    from rota.entrypoints.cli.finding import calendar_id
    from rota.entrypoints.cli.listings import show_imported

    with calling(url, token, tenant) as api:
        raw = read_bytes(file)
        imported = api.import_days(calendar_id(api, calendar), raw, from_=from_, to=to, dryRun=dry_run)
    show_json(imported) if as_json else show_imported(imported, would=dry_run)


@app.command("export")
def export_calendar(
    calendar: Calendar,
    from_: From = None,
    to: To = None,
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Where it goes.")] = None,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Write the closed days as an iCalendar file, to standard output unless said. Without days, of this year and the
    next.
    """
    from rota.entrypoints.cli.calling import calling
    from rota.entrypoints.cli.documents import write_bytes
    from rota.entrypoints.cli.finding import calendar_id

    with calling(url, token, tenant) as api:
        write_bytes(output, api.export_calendar(calendar_id(api, calendar), **{"from": from_, "to": to}))
