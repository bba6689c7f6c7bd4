"""`rota schedules`: keep schedules, and see when they fire."""

from __future__ import annotations

from typing import Annotated

import typer

from rota.entrypoints.cli.calling import AsJson, Cursor, File, Limit, PatchFile, Set, Tenant, Token, Url

app = typer.Typer(name="schedules", help="Keep schedules, and see when they fire.", no_args_is_help=True)

Schedule = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's id or name.")]


@app.callback()
def schedules() -> None:
    """Keep schedules, and see when they fire."""


@app.command("list")
def list_schedules(
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Only such.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those whose names begin so.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY:VALUE", help="Only schedules with it; repeatable.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Only with targets of this kind: JOB, EVENT, HTTP, QUEUE.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """List schedules, the newest first."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.listings import schedules_table
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        page = api.list_schedules(
            enabled=enabled, name=name, label=label or None, kind=kind, limit=limit, cursor=cursor
        )
    show_json(page) if as_json else show(schedules_table(page))


@app.command("show")
def show_schedule(
    schedule: Schedule, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None
) -> None:
    """Show all that is known of one."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import find_schedule
    from rota.entrypoints.cli.listings import details
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        found = find_schedule(api, schedule)
    show_json(found) if as_json else show(details(found))


@app.command("create")
def create_schedules(
    file: File, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None
) -> None:
    """Create the schedule that a file describes; of a list, all or none."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.documents import read_definitions

    with calling(url, token, tenant) as api:
        definitions, is_list = read_definitions(file)
        if is_list:
            made = api.create_schedules(definitions)
            show_json(made) if as_json else typer.echo("\n".join(each.id for each in made.items))
            return
        one = api.create_schedule(**definitions[0])
    show_json(one) if as_json else typer.echo(one.id)


@app.command("update", hidden=True)
@app.command("patch")
def change_schedule(
    schedule: Schedule,
    file: PatchFile = None,
    said: Set = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Change fields of a schedule; trigger and target are replaced whole, what is not named stays."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.documents import read_patch
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import next_fire

    with calling(url, token, tenant) as api:
        patch = read_patch(file, said or ())
        found = api.change_schedule(schedule_id(api, schedule), **patch)
    show_json(found) if as_json else typer.echo(f"{found.name} is at version {found.version}, {next_fire(found)}")


@app.command("delete")
def delete_schedule(schedule: Schedule, url: Url = "", token: Token = "", tenant: Tenant = None) -> None:
    """Delete a schedule: its name is free again, its runs stay."""
    from rota.entrypoints.cli.calling import calling
    from rota.entrypoints.cli.finding import schedule_id

    with calling(url, token, tenant) as api:
        api.delete_schedule(schedule_id(api, schedule))
    typer.echo(f"{schedule} is deleted")
