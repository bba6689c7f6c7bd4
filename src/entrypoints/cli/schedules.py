"""`rota schedules`: keep schedules, and see when they fire."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.arguments import BareFile, File, NamePrefix, Schedule, Set, the_file
from rota.entrypoints.cli.asking import Yes, ask
from rota.entrypoints.cli.calling import Desk, Labels, command
from rota.entrypoints.cli.lists import Asked, list_command

app = typer.Typer(name="schedules", help="Keep schedules, and see when they fire.", no_args_is_help=True)

IsEnabled = Annotated[bool | None, typer.Option("--enabled/--disabled", help="Only such.")]
Kind = Annotated[str | None, typer.Option(help="Only with targets of this kind: JOB, EVENT, HTTP, QUEUE.")]


@list_command(app, "list", "rota schedules list --disabled --label team:bi", "rota schedules list --all --json")
def list_schedules(
    desk: Desk, enabled: IsEnabled = None, name: NamePrefix = None, label: Labels = None, kind: Kind = None
) -> Asked[Any]:
    """List schedules, the newest first."""
    from rota.entrypoints.cli.listings import schedules_table

    filters = {"enabled": enabled, "name": name, "label": label or None, "kind": kind and kind.upper()}
    return Asked(desk.api.list_schedules, schedules_table, filters)


@command(app, "show", "rota schedules show daily-report")
def show_schedule(desk: Desk, schedule: Schedule) -> None:
    """Show all that is known of one."""
    from rota.entrypoints.cli.finding import find_schedule
    from rota.entrypoints.cli.tables import details

    desk.tell(find_schedule(desk.api, schedule), details)


@command(app, "create", "rota schedules create -f daily.yaml", "generate | rota schedules create -f - --json")
def create_schedules(desk: Desk, bare: BareFile = None, file: File = None) -> None:
    """Create the schedule that a file describes, or a list of them; the ids are told.

    Of a list, all or none; of one with more than 1,000, a thousand at a time.
    """
    from rota.entrypoints.cli.creating import create_batches
    from rota.entrypoints.cli.documents import read_definitions

    definitions, is_list = read_definitions(the_file(file, bare))
    if is_list:
        create_batches(desk, "schedules", desk.api.create_schedules, definitions)
    else:
        desk.tell(desk.api.create_schedule(**definitions[0]), lambda made: made.id)


@command(
    app,
    "patch",
    "rota schedules patch daily-report --set misfire.graceSec=60 --set labels.team=bi",
    "rota schedules patch daily-report -f change.yaml",
    also=("change", "update"),
)
def change_schedule(desk: Desk, schedule: Schedule, bare: BareFile = None, file: File = None, said: Set = None) -> None:
    """Change fields of a schedule; trigger and target are replaced whole, what is not named stays."""
    from rota.entrypoints.cli.documents import read_patch
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import next_fire

    patch = read_patch(file or bare, said or ())
    found = desk.api.change_schedule(schedule_id(desk.api, schedule), **patch)
    desk.tell(found, lambda it: f"{it.name} is at version {it.version}, {next_fire(it)}")


@command(app, "delete", "rota schedules delete daily-report --yes")
def delete_schedule(desk: Desk, schedule: Schedule, yes: Yes = False) -> None:
    """Delete a schedule: its name is free again, its runs stay."""
    from rota.entrypoints.cli.creating import tell_deleted
    from rota.entrypoints.cli.finding import find_schedule

    found = find_schedule(desk.api, schedule)
    ask(f"Delete schedule {found.name}?", yes=yes, as_json=desk.as_json)
    desk.api.delete_schedule(found.id)
    tell_deleted(desk, found)
