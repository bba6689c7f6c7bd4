"""`rota jobs`: keep jobs, and have one run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.arguments import BareFile, File, Job, NamePrefix, Payload, Set, the_file
from rota.entrypoints.cli.asking import Yes, ask
from rota.entrypoints.cli.calling import Desk, Watch, command, json_argument, said_only
from rota.entrypoints.cli.lists import Asked, list_command

app = typer.Typer(name="jobs", help="Keep jobs, and have them run.", no_args_is_help=True)

RunLabels = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY:VALUE", help="A label of the run; repeatable.")
]


@list_command(app, "list", "rota jobs list --queue reports")
def list_jobs(
    desk: Desk,
    name: NamePrefix = None,
    queue: Annotated[str | None, typer.Option(help="Only those of this queue.")] = None,
) -> Asked[Any]:
    """List jobs, the newest first."""
    from rota.entrypoints.cli.listings import jobs_table

    return Asked(desk.api.list_jobs, jobs_table, {"name": name, "queue": queue})


@command(app, "show", "rota jobs show reports.daily")
def show_job(desk: Desk, job: Job) -> None:
    """Show all that is known of one."""
    from rota.entrypoints.cli.finding import find_job
    from rota.entrypoints.cli.tables import details

    desk.tell(find_job(desk.api, job), details)


@command(app, "create", "rota jobs create -f jobs.yaml")
def create_jobs(desk: Desk, bare: BareFile = None, file: File = None) -> None:
    """Create the job that a file describes; those of a list one after the other, until one is refused."""
    from rota.entrypoints.cli.creating import create_each
    from rota.entrypoints.cli.documents import read_definitions

    definitions, _ = read_definitions(the_file(file, bare))
    create_each(desk, "jobs", desk.api.create_job, definitions)


@command(app, "patch", "rota jobs patch reports.daily --set retry.maxAttempts=5", also=("change", "update"))
def change_job(desk: Desk, job: Job, bare: BareFile = None, file: File = None, said: Set = None) -> None:
    """Change fields of a job; what is not named stays."""
    from rota.entrypoints.cli.documents import read_patch
    from rota.entrypoints.cli.finding import job_id

    patch = read_patch(file or bare, said or ())
    found = desk.api.change_job(job_id(desk.api, job), **patch)
    desk.tell(found, lambda it: f"{it.name} is at version {it.version}")


@command(app, "delete", "rota jobs delete reports.daily --yes")
def delete_job(desk: Desk, job: Job, yes: Yes = False) -> None:
    """Delete a job that no schedule uses."""
    from rota.entrypoints.cli.creating import tell_deleted
    from rota.entrypoints.cli.finding import find_job

    found = find_job(desk.api, job)
    ask(f"Delete job {found.name}?", yes=yes, as_json=desk.as_json)
    desk.api.delete_job(found.id)
    tell_deleted(desk, found)


@command(
    app,
    "trigger",
    'rota jobs trigger reports.daily --payload \'{"kind": "full"}\' --watch',
    "rota jobs trigger reports.daily --at 2030-01-31T09:00:00Z --dedupe-key january",
)
def trigger_job(
    desk: Desk,
    job: Job,
    payload: Payload = None,
    at: Annotated[str | None, typer.Option(help="Not before this time, as 2026-01-31T09:00:00Z.")] = None,
    dedupe_key: Annotated[
        str | None, typer.Option(help="If a run with it has not ended yet, that is the answer.")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="In place of the job's.")] = None,
    label: RunLabels = None,
    watch: Watch = False,
) -> None:
    """Have a job run once, now unless said; the run's id is told."""
    from rota.entrypoints.cli.finding import find_job, is_id
    from rota.entrypoints.cli.watching import tell_run

    order = said_only(runAt=at, dedupeKey=dedupe_key, priority=priority, labels=_labels(label or ()))
    order |= json_argument(payload, "payload")
    run = desk.api.run(find_job(desk.api, job).name if is_id(job) else job, **order)
    tell_run(desk, run, watch=watch)


def _labels(said: list[str] | tuple[()]) -> dict[str, str]:
    labels = {}
    for each in said:
        key, colon, value = each.partition(":")
        if not colon or not key:
            raise typer.BadParameter(f"--label {each}: must be KEY:VALUE")
        labels[key] = value
    return labels
