"""`rota backfills`: give due times of the past their runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.calling import AsJson, Tenant, Token, Url

app = typer.Typer(name="backfills", help="Give due times of the past their runs.", no_args_is_help=True)

ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's id.")]
BackfillId = Annotated[str, typer.Argument(metavar="BACKFILL", help="The backfill's id.")]
From = Annotated[str, typer.Option("--from", help="The first due time that is meant, as 2026-01-31T09:00:00Z.")]
To = Annotated[str, typer.Option("--to", help="Due times before this are meant; at most now.")]


@app.callback()
def backfills() -> None:
    """Give due times of the past their runs."""


@app.command("start")
def start_backfill(
    schedule: ScheduleId,
    from_: From,
    to: To,
    max_concurrent: Annotated[int, typer.Option(help="How many of its runs are unfinished at a time, at most.")] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many runs it would make.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Wait until all its runs have ended.")] = False,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Make a run for each due time that has none."""
    from rota.entrypoints.cli.backfilling import follow_to_the_end
    from rota.entrypoints.cli.calling import calling, show_json

    how: dict[str, Any] = {"from": from_, "to": to, "maxConcurrent": max_concurrent}
    with calling(url, token, tenant) as api:
        if dry_run:
            would = api.would_backfill(schedule, **how)
            show_json(would) if as_json else typer.echo(f"It would make {would.count} runs.")
            return
        asked = api.backfill(schedule, **how)
        if follow:
            follow_to_the_end(api, asked.id, as_json=as_json)
        else:
            show_json(asked) if as_json else typer.echo(asked.id)


@app.command("show")
def show_backfill(
    backfill: BackfillId,
    follow: Annotated[bool, typer.Option("--follow", help="Wait until all its runs have ended.")] = False,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Show how far a backfill has come. With --follow the exit status is 0 only if it is DONE."""
    from rota.entrypoints.cli.backfilling import follow_to_the_end, sentence
    from rota.entrypoints.cli.calling import calling, show_json

    with calling(url, token, tenant) as api:
        if follow:
            follow_to_the_end(api, backfill, as_json=as_json)
            return
        found = api.get_backfill(backfill)
    show_json(found) if as_json else typer.echo(sentence(found))


@app.command("cancel")
def cancel_backfill(
    backfill: BackfillId,
    reason: Annotated[str, typer.Option(help="What is kept as the reason.")] = "",
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Have a backfill make no more runs; those that it has made go on."""
    from rota.entrypoints.cli.backfilling import sentence
    from rota.entrypoints.cli.calling import calling, show_json

    with calling(url, token, tenant) as api:
        found = api.cancel_backfill(backfill, reason)
    show_json(found) if as_json else typer.echo(sentence(found))
