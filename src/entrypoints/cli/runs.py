"""`rota runs`: look at runs, stop them, carry them out once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rota.entrypoints.cli.arguments import BareFile, File, OfJob, OfSchedule, Run, the_file
from rota.entrypoints.cli.calling import Desk, Labels, Reason, Watch, command, json_argument, said_only
from rota.entrypoints.cli.completing import names_of
from rota.entrypoints.cli.lists import Asked, list_command

if TYPE_CHECKING:
    from rota.entrypoints.sdk.models import Redrive

app = typer.Typer(name="runs", help="Look at runs, stop them, carry them out once more.", no_args_is_help=True)

Fingerprint = Annotated[str | None, typer.Option(help="Only runs that failed alike: see `rota runs dead`.")]
From = Annotated[str | None, typer.Option("--from", help="Scheduled for this time or later, as 2026-01-31T09:00:00Z.")]
To = Annotated[str | None, typer.Option("--to", help="Scheduled for an earlier time than this.")]
Payload = Annotated[str | None, typer.Option(metavar="JSON", help="Replaces the old payload.")]
SOME_RUN = "0199e0a0-0000-7000-8000-000000000000"


@list_command(
    app,
    "list",
    "rota runs list --schedule daily-report --state DEAD --state CANCELLED",
    "rota runs list --job reports.daily --from 2026-01-31T00:00:00Z --all --json",
    "rota runs list --state RUNNING --watch",
)
def list_runs(
    desk: Desk,
    state: Annotated[list[str] | None, typer.Option(help="Only runs in this state; repeatable.")] = None,
    cause: Annotated[list[str] | None, typer.Option(help="Only runs of this cause; repeatable.")] = None,
    job: OfJob = None,
    schedule: OfSchedule = None,
    worker: Annotated[
        str | None, typer.Option(metavar="WORKER", help="Only those it has.", autocompletion=names_of("workers"))
    ] = None,
    fingerprint: Fingerprint = None,
    label: Labels = None,
    from_: From = None,
    to: To = None,
) -> Asked[Any]:
    """List runs, the newest first."""
    from rota.entrypoints.cli.finding import worker_id
    from rota.entrypoints.cli.run_tables import runs_table

    filters = _filters(desk, job, schedule, fingerprint, label, from_, to)
    filters |= said_only(state=_upper(state), cause=_upper(cause), workerId=worker and worker_id(desk.api, worker))
    return Asked(desk.api.list_runs, runs_table, filters)


@command(app, "show", f"rota runs show {SOME_RUN}")
def show_run(desk: Desk, run: Run) -> None:
    """Show one run with its attempts."""
    from rota.entrypoints.cli.run_tables import run_lines

    desk.tell(desk.api.get_run(run), run_lines)


@command(app, "watch", f"rota runs watch {SOME_RUN} && echo it has worked")
def watch_run(desk: Desk, run: Run) -> None:
    """Follow one run until it has ended, a line whenever it has another state; status 0 only if it SUCCEEDED."""
    from rota.entrypoints.cli.watching import watch_run

    watch_run(desk, run)


@command(app, "create", "rota runs create -f orders.yaml")
def create_runs(desk: Desk, bare: BareFile = None, file: File = None) -> None:
    """Have jobs run as a file says, one run or a list of them; the ids are told. For one, see `rota jobs trigger`.

    Of a list, all or none; of one with more than 1,000, a thousand at a time.
    """
    from rota.entrypoints.cli.creating import create_batches
    from rota.entrypoints.cli.documents import read_objects

    orders, is_list = read_objects(the_file(file, bare))
    if is_list:
        create_batches(desk, "runs", desk.api.run_many, orders)
    else:
        order: dict[str, Any] = {"job": None, **orders[0]}  # Any: JSON
        desk.tell(desk.api.run(**order), lambda made: made.id)


@command(app, "cancel", f"rota runs cancel {SOME_RUN} --reason 'a mistake'")
def cancel_run(desk: Desk, run: Run, reason: Reason = "") -> None:
    """Have a run stopped: one that is carried out goes on until its worker has stopped it."""
    found = desk.api.cancel_run(run, reason)
    desk.tell(found, lambda it: f"{it.id} is {it.state}" + ("" if it.is_final else ", and was asked to stop"))


@command(app, "retry", f"rota runs retry {SOME_RUN} --watch")
def retry_run(desk: Desk, run: Run, payload: Payload = None, watch: Watch = False) -> None:
    """Have a run that has ended carried out once more, as a new run; its id is told."""
    from rota.entrypoints.cli.watching import tell_run

    made = desk.api.retry_run(run, **json_argument(payload, "payload"))
    tell_run(desk, made, watch=watch)


@list_command(app, "dead", "rota runs dead --job reports.daily")
def list_dead(
    desk: Desk,
    job: OfJob = None,
    schedule: OfSchedule = None,
    label: Labels = None,
    from_: From = None,
    to: To = None,
    redriven: Annotated[bool, typer.Option("--redriven", help="Those too that were retried.")] = False,
) -> Asked[Any]:
    """List dead letters in groups of those that failed alike, the biggest first."""
    from rota.entrypoints.cli.run_tables import dead_table

    filters = _filters(desk, job, schedule, None, label, from_, to)
    return Asked(desk.api.list_dead, dead_table, filters | {"redriven": redriven})


@command(
    app,
    "redrive",
    "rota runs redrive --job reports.daily --dry-run",
    "rota runs redrive --fingerprint 1f3a9c0d77e2b458 --per-sec 10",
    f"rota runs redrive --follow {SOME_RUN}",
)
def redrive(
    desk: Desk,
    fingerprint: Fingerprint = None,
    job: OfJob = None,
    schedule: OfSchedule = None,
    label: Labels = None,
    from_: From = None,
    to: To = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters, where no filter is given.")] = False,
    per_sec: Annotated[float, typer.Option(help="New runs a second.")] = 50.0,
    most: Annotated[int, typer.Option("--max", help="How many at most.")] = 10_000,
    stop_after: Annotated[int, typer.Option(help="Stop when so many of the new runs are DEAD again.")] = 10,
    payload: Payload = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would take.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch/--no-watch", help="Follow it to its end, or only tell its id.")
    ] = True,
    follow: Annotated[str | None, typer.Option(metavar="REDRIVE", help="Follow one that has begun.")] = None,
    cancel: Annotated[str | None, typer.Option(metavar="REDRIVE", help="Have one make no more runs.")] = None,
) -> None:
    """Have dead letters carried out once more, each as a new run, and follow that until it is over.

    Ctrl-C ends the following and not the redrive. The exit status is 0 only if it is DONE.
    """
    from rota.entrypoints.cli.fail import fail
    from rota.entrypoints.cli.run_tables import redrive_text, what_it_would_take

    wanted = _filters(desk, job, schedule, fingerprint, label, from_, to)
    if not (wanted or everything or follow or cancel):
        fail("name a filter (--fingerprint, --job, --schedule, --label, --from, --to), or --all")
    how = {"perSec": per_sec, "max": most, "stopAfter": stop_after, **json_argument(payload, "payload")}
    if cancel is not None:
        desk.tell(desk.api.cancel_redrive(cancel, "cancelled on the command line"), redrive_text)
    elif follow is not None:
        _watch_redrive(desk, follow)
    elif dry_run:
        desk.tell(desk.api.would_redrive(wanted, **how), what_it_would_take)
    elif watch:
        _watch_redrive(desk, desk.api.redrive(wanted, **how).id)
    else:
        desk.tell(desk.api.redrive(wanted, **how), lambda asked: asked.id)


def _watch_redrive(desk: Desk, own_id: str) -> None:
    from rota.entrypoints.cli.run_tables import redrive_text
    from rota.entrypoints.cli.watching import watch_work

    def gone_through(redrive: Redrive) -> int:
        return redrive.made + redrive.passed

    hint = f"rota runs redrive --follow {own_id}, or --cancel {own_id}"
    watch_work(desk, lambda: desk.api.get_redrive(own_id), "redriving", gone_through, redrive_text, hint)


def _filters(
    desk: Desk,
    job: str | None,
    schedule: str | None,
    fingerprint: str | None,
    label: list[str] | None,
    from_: str | None,
    to: str | None,
) -> dict[str, object]:
    """As the API names them; a job's id is turned into its name, a schedule's name into its id."""
    from rota.entrypoints.cli.finding import find_job, is_id, schedule_id

    named = find_job(desk.api, job).name if job and is_id(job) else job
    own_id = schedule_id(desk.api, schedule) if schedule else None
    said = {"job": named, "scheduleId": own_id, "fingerprint": fingerprint, "label": label, "from": from_, "to": to}
    return said_only(**said)


def _upper(words: list[str] | None) -> list[str]:
    return [each.upper() for each in words or ()]
