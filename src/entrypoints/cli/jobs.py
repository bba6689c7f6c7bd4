"""`rota jobs`: keep jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from rota.entrypoints.cli.calling import AsJson, Cursor, File, Limit, PatchFile, Set, Tenant, Token, Url

app = typer.Typer(name="jobs", help="Keep jobs.", no_args_is_help=True)

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id or name.")]


@app.callback()
def jobs() -> None:
    """Keep jobs."""


@app.command("list")
def list_jobs(
    name: Annotated[str | None, typer.Option(help="Only those whose names begin so.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only those of this queue.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """List jobs, the newest first."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.listings import jobs_table
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        page = api.list_jobs(name=name, queue=queue, limit=limit, cursor=cursor)
    show_json(page) if as_json else show(jobs_table(page))


@app.command("show")
def show_job(job: Job, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None) -> None:
    """Show all that is known of one."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import find_job
    from rota.entrypoints.cli.listings import details
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        found = find_job(api, job)
    show_json(found) if as_json else show(details(found))


@app.command("create")
def create_jobs(file: File, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None) -> None:
    """Create the job that a file describes; those of a list one after the other, until one is refused."""
    from rota.entrypoints.cli.calling import calling, show_made
    from rota.entrypoints.cli.documents import read_definitions

    with calling(url, token, tenant) as api:
        definitions, _ = read_definitions(file)
        made = (api.create_job(**each) for each in definitions)
        show_made(made, as_json=as_json)


@app.command("update", hidden=True)
@app.command("patch")
def change_job(
    job: Job,
    file: PatchFile = None,
    said: Set = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Change fields of a job; what is not named stays."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.documents import read_patch
    from rota.entrypoints.cli.finding import job_id

    with calling(url, token, tenant) as api:
        patch = read_patch(file, said or ())
        found = api.change_job(job_id(api, job), **patch)
    show_json(found) if as_json else typer.echo(f"{found.name} is at version {found.version}")


@app.command("delete")
def delete_job(job: Job, url: Url = "", token: Token = "", tenant: Tenant = None) -> None:
    """Delete a job that no schedule uses."""
    from rota.entrypoints.cli.calling import calling
    from rota.entrypoints.cli.finding import job_id

    with calling(url, token, tenant) as api:
        api.delete_job(job_id(api, job))
    typer.echo(f"{job} is deleted")
