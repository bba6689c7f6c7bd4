"""`rota schedules`, the part about fires: letting them come, keeping them back, and asking about them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.arguments import Payload, Schedule
from rota.entrypoints.cli.calling import Desk, Reason, Watch, command, json_argument, said_only
from rota.entrypoints.cli.completing import names_of
from rota.entrypoints.cli.lists import Asked, list_command

app = typer.Typer()

From = Annotated[str | None, typer.Option("--from", help="Begin at this time, as 2026-01-31T09:00:00Z.")]


@command(app, "enable", "rota schedules enable daily-report --catch-up LAST")
def enable_schedule(
    desk: Desk,
    schedule: Schedule,
    catch_up: Annotated[
        str | None, typer.Option(help="Of what fell due while it was disabled: NONE, LAST or ALL.")
    ] = None,
    reason: Reason = "",
) -> None:
    """Let a schedule fire."""
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import next_fire

    order = said_only(reason=reason, catchUp=catch_up)
    found = desk.api.enable_schedule(schedule_id(desk.api, schedule), **order)
    desk.tell(found, lambda it: f"{it.name} is enabled, {next_fire(it)}")


@command(app, "disable", "rota schedules disable daily-report --until 2030-01-31T09:00:00Z --reason 'stock-taking'")
def disable_schedule(
    desk: Desk,
    schedule: Schedule,
    until: Annotated[str | None, typer.Option(help="Enable it then, as 2026-01-31T09:00:00Z.")] = None,
    reason: Reason = "",
) -> None:
    """Have a schedule fire no more, until it is enabled."""
    from rota.entrypoints.cli.finding import schedule_id

    found = desk.api.disable_schedule(schedule_id(desk.api, schedule), **said_only(reason=reason, until=until))
    desk.tell(found, lambda it: f"{it.name} is disabled" + (f" until {until}" if until else ""))


@command(app, "skip", "rota schedules skip daily-report --count 2 --reason 'a holiday'")
def skip_fires(
    desk: Desk,
    schedule: Schedule,
    count: Annotated[int | None, typer.Option(help="So many of the next fires; 1 unless said.")] = None,
    at: Annotated[str | None, typer.Option(help="The one at this instant, as `fires` shows it.")] = None,
    reason: Reason = "",
) -> None:
    """Skip the next fires, or a given one; they are told."""
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import next_fire
    from rota.entrypoints.cli.run_tables import skipped_text

    order = said_only(count=count, at=at, reason=reason)
    found = desk.api.skip_fires(schedule_id(desk.api, schedule), **order)
    desk.tell(found, lambda it: f"{skipped_text(it.skipped)}{it.name} {next_fire(it)}")


@command(app, "trigger", "rota schedules trigger daily-report --watch")
def trigger_schedule(desk: Desk, schedule: Schedule, payload: Payload = None, watch: Watch = False) -> None:
    """Fire a schedule now; the run's id is told."""
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.watching import tell_run

    order = json_argument(payload, "payload")
    run = desk.api.trigger_schedule(schedule_id(desk.api, schedule), **order)
    tell_run(desk, run, watch=watch)


@command(app, "fires", "rota schedules fires daily-report --from 2030-01-01T00:00:00Z --count 5")
def list_fires(
    desk: Desk,
    schedule: Schedule,
    from_: From = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
) -> None:
    """Show when it fires next."""
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.run_tables import fires_table

    found = desk.api.list_fires(schedule_id(desk.api, schedule), from_=from_, count=count)
    desk.tell(found, fires_table)


@list_command(app, "misses", "rota schedules misses daily-report")
def list_misses(desk: Desk, schedule: Schedule) -> Asked[Any]:
    """Show the due times that its misfire policy did not run, the newest first."""
    from functools import partial

    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.run_tables import misses_table

    return Asked(partial(desk.api.list_misses, schedule_id(desk.api, schedule)), misses_table, {})


@command(app, "explain", "rota schedules explain daily-report --at 2026-03-29T01:00:00Z")
def explain(
    desk: Desk,
    schedule: Schedule,
    at: Annotated[str, typer.Option(help="The instant, as 2026-03-29T01:00:00Z or with another offset.")],
) -> None:
    """Tell why it did or will fire at an instant, or not: each rule that was asked, in order."""
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.run_tables import explanation_lines

    desk.tell(desk.api.explain(schedule_id(desk.api, schedule), at), explanation_lines)


@command(app, "watch", "rota schedules watch", "rota schedules watch daily-report --count 1")
def watch_schedule(
    desk: Desk,
    schedule: Annotated[
        str | None,
        typer.Argument(
            metavar="[SCHEDULE]", help="Its runs; all schedules unless said.", autocompletion=names_of("schedules")
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(help="End after so many of its runs have ended.", min=1)] = None,
) -> None:
    """Follow a schedule's newest runs until Ctrl-C, a line whenever one has another state; or the list of schedules."""
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import schedules_table
    from rota.entrypoints.cli.watching import watch_list, watch_runs

    if schedule is not None:
        watch_runs(desk, schedule_id(desk.api, schedule), count)
    elif count is not None:
        raise typer.BadParameter("--count needs a SCHEDULE")
    else:
        watch_list(desk, desk.api.list_schedules, schedules_table)
