"""`rota runs`: look at runs, stop them, carry them out once more."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.calling import AsJson, Tenant, Token, Url

app = typer.Typer(name="runs", help="Look at runs, stop them, carry them out once more.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
Job = Annotated[str | None, typer.Option(help="Only runs of the job with this name.")]
ScheduleId = Annotated[str | None, typer.Option("--schedule", help="Only runs of the schedule with this id.")]
Fingerprint = Annotated[str | None, typer.Option(help="Only runs that failed alike: see `rota runs dead`.")]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY:VALUE", help="Only runs with it; repeatable.")
]
From = Annotated[str | None, typer.Option("--from", help="Scheduled for this time or later, as 2026-01-31T09:00:00Z.")]
To = Annotated[str | None, typer.Option("--to", help="Scheduled for an earlier time than this.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]
Payload = Annotated[str | None, typer.Option(metavar="JSON", help="Replaces the old payload.")]
Reason = Annotated[str, typer.Option(help="What is kept as the reason.")]


@app.callback()
def runs() -> None:
    """Look at runs, stop them, carry them out once more."""


@app.command("list")
def list_runs(
    state: Annotated[list[str] | None, typer.Option(help="Only runs in this state; repeatable.")] = None,
    cause: Annotated[list[str] | None, typer.Option(help="Only runs of this cause; repeatable.")] = None,
    job: Job = None,
    schedule: ScheduleId = None,
    fingerprint: Fingerprint = None,
    label: Labels = None,
    from_: From = None,
    to: To = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """List runs, the newest first."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.tables import runs_table, show

    filters = _filters(job, schedule, fingerprint, label, from_, to) | {"state": state, "cause": cause, "limit": limit}
    with calling(url, token, tenant) as api:
        page = api.list_runs(**filters)
    show_json(page) if as_json else show(runs_table(page))


@app.command("show")
def show_run(run: RunId, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None) -> None:
    """Show one run with its attempts."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.tables import run_lines, show

    with calling(url, token, tenant) as api:
        found = api.get_run(run)
    show_json(found) if as_json else show(run_lines(found))


@app.command("cancel")
def cancel_run(
    run: RunId, reason: Reason = "", as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None
) -> None:
    """Have a run stopped: one that is carried out goes on until its worker has stopped it."""
    from rota.entrypoints.cli.calling import calling, show_json

    with calling(url, token, tenant) as api:
        found = api.cancel_run(run, reason)
    show_json(found) if as_json else typer.echo(f"{found.id} is {found.state}, and was asked to stop")


@app.command("retry")
def retry_run(
    run: RunId,
    payload: Payload = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Have a run that has ended carried out once more, as a new run."""
    from rota.entrypoints.cli.calling import calling, json_argument, show_json

    change = json_argument(payload, "payload")
    with calling(url, token, tenant) as api:
        made = api.retry_run(run, **change)
    show_json(made) if as_json else typer.echo(made.id)


@app.command("dead")
def list_dead(
    job: Job = None,
    schedule: ScheduleId = None,
    label: Labels = None,
    from_: From = None,
    to: To = None,
    redriven: Annotated[bool, typer.Option("--redriven", help="Those too that were retried.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """List dead letters in groups of those that failed alike, the biggest first."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.tables import dead_table, show

    filters = _filters(job, schedule, None, label, from_, to)
    with calling(url, token, tenant) as api:
        page = api.list_dead(**filters, redriven=redriven, limit=limit)
    show_json(page) if as_json else show(dead_table(page.items))


@app.command("redrive")
def redrive(
    fingerprint: Fingerprint = None,
    job: Job = None,
    schedule: ScheduleId = None,
    label: Labels = None,
    from_: From = None,
    to: To = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters, where no filter is given.")] = False,
    per_sec: Annotated[float, typer.Option(help="New runs a second.")] = 50.0,
    most: Annotated[int, typer.Option("--max", help="How many at most.")] = 10_000,
    stop_after: Annotated[int, typer.Option(help="Stop when so many of the new runs are DEAD again.")] = 10,
    payload: Payload = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would take.")] = False,
    follow: Annotated[str | None, typer.Option(metavar="REDRIVE", help="Follow one that has begun.")] = None,
    cancel: Annotated[str | None, typer.Option(metavar="REDRIVE", help="Have one make no more runs.")] = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Have dead letters carried out once more, each as a new run, and follow that until it is over.

    Ctrl-C ends the following and not the redrive. The exit status is 0 only if it is DONE.
    """
    from rota.entrypoints.cli.calling import calling, json_argument
    from rota.entrypoints.cli.fail import fail
    from rota.entrypoints.cli.redriving import cancel_and_show, follow_to_the_end, tell_what_it_would_take

    said = {
        "fingerprint": fingerprint, "job": job, "scheduleId": schedule, "label": label, "from": from_, "to": to,
    }  # fmt: skip
    wanted = {name: value for name, value in said.items() if value}
    if not (wanted or everything or follow or cancel):
        fail("name a filter (--fingerprint, --job, --schedule, --label, --from, --to), or --all")
    how = {"perSec": per_sec, "max": most, "stopAfter": stop_after, **json_argument(payload, "payload")}
    with calling(url, token, tenant) as api:
        if cancel is not None:
            cancel_and_show(api, cancel, as_json=as_json)
        elif dry_run:
            tell_what_it_would_take(api.would_redrive(wanted, **how), as_json=as_json)
        else:
            follow_to_the_end(api, follow or api.redrive(wanted, **how).id, as_json=as_json)


def _filters(
    job: str | None,
    schedule: str | None,
    fingerprint: str | None,
    label: list[str] | None,
    from_: str | None,
    to: str | None,
) -> dict[str, Any]:  # Any: query values
    said = {"job": job, "scheduleId": schedule, "fingerprint": fingerprint, "label": label, "from": from_, "to": to}
    return {name: value for name, value in said.items() if value}
