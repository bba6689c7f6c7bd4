"""`rota schedules`, the part about fires: letting them come, keeping them back, and asking about them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.calling import AsJson, Cursor, Limit, Reason, Tenant, Token, Url
from rota.entrypoints.cli.schedules import Schedule

app = typer.Typer()

From = Annotated[str | None, typer.Option("--from", help="Begin at this time, as 2026-01-31T09:00:00Z.")]


@app.command("enable")
def enable_schedule(
    schedule: Schedule,
    catch_up: Annotated[
        str | None, typer.Option(help="Of what fell due while it was disabled: NONE, LAST or ALL.")
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Let a schedule fire."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import next_fire

    order: dict[str, Any] = {"reason": reason} | ({} if catch_up is None else {"catchUp": catch_up})
    with calling(url, token, tenant) as api:
        found = api.enable_schedule(schedule_id(api, schedule), **order)
    show_json(found) if as_json else typer.echo(f"{found.name} is enabled, {next_fire(found)}")


@app.command("disable")
def disable_schedule(
    schedule: Schedule,
    until: Annotated[str | None, typer.Option(help="Enable it then, as 2026-01-31T09:00:00Z.")] = None,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Have a schedule fire no more, until it is enabled."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import schedule_id

    order = {"reason": reason} | ({} if until is None else {"until": until})
    with calling(url, token, tenant) as api:
        found = api.disable_schedule(schedule_id(api, schedule), **order)
    show_json(found) if as_json else typer.echo(f"{found.name} is disabled" + (f" until {until}" if until else ""))


@app.command("skip")
def skip_fires(
    schedule: Schedule,
    count: Annotated[int | None, typer.Option(help="So many of the next fires; 1 unless said.")] = None,
    at: Annotated[str | None, typer.Option(help="The one at this instant, as `fires` shows it.")] = None,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Skip the next fires, or a given one; they are told."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import next_fire, time_text

    said = {"count": count, "at": at, "reason": reason}
    order: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    with calling(url, token, tenant) as api:
        found = api.skip_fires(schedule_id(api, schedule), **order)
    if as_json:
        show_json(found)
        return
    for due in found.skipped:
        typer.echo(f"skipped {time_text(due.due_at)}")
    typer.echo(f"{found.name} {next_fire(found)}")


@app.command("trigger")
def trigger_schedule(
    schedule: Schedule,
    payload: Annotated[str | None, typer.Option(metavar="JSON", help="Replaces the target's payload.")] = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Fire a schedule now; the run's id is told."""
    from rota.entrypoints.cli.calling import calling, json_argument, show_json
    from rota.entrypoints.cli.finding import schedule_id

    order = json_argument(payload, "payload")
    with calling(url, token, tenant) as api:
        run = api.trigger_schedule(schedule_id(api, schedule), **order)
    show_json(run) if as_json else typer.echo(run.id)


@app.command("fires")
def list_fires(
    schedule: Schedule,
    from_: From = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Show when it fires next."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import fires_table
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        found = api.list_fires(schedule_id(api, schedule), from_=from_, count=count)
    show_json(found) if as_json else show(fires_table(found.fires))


@app.command("misses")
def list_misses(
    schedule: Schedule,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Show the due times that its misfire policy did not run, the newest first."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.listings import misses_table
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        page = api.list_misses(schedule_id(api, schedule), limit=limit, cursor=cursor)
    show_json(page) if as_json else show(misses_table(page))


@app.command("explain")
def explain(
    schedule: Schedule,
    at: Annotated[str, typer.Option(help="The instant, as 2026-03-29T01:00:00Z or with another offset.")],
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Tell why it did or will fire at an instant, or not: each rule that was asked, in order."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.tables import explanation_lines, show

    with calling(url, token, tenant) as api:
        told = api.explain(schedule_id(api, schedule), at)
    show_json(told) if as_json else show(explanation_lines(told))


@app.command("watch")
def watch_schedule(
    schedule: Schedule,
    count: Annotated[int | None, typer.Option(help="End after so many runs have ended.", min=1)] = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Follow its newest runs until Ctrl-C: a line whenever one has another state."""
    from rota.entrypoints.cli.calling import calling
    from rota.entrypoints.cli.finding import schedule_id
    from rota.entrypoints.cli.watching import watch_runs

    with calling(url, token, tenant) as api:
        watch_runs(api, schedule_id(api, schedule), count, as_json=as_json)
