"""`rota workers`: see who works, and send workers home."""

from __future__ import annotations

from typing import Annotated

import typer

from rota.entrypoints.cli.calling import AsJson, Cursor, Limit, Tenant, Token, Url

app = typer.Typer(name="workers", help="See who works, and send workers home.", no_args_is_help=True)

Worker = Annotated[str, typer.Argument(metavar="WORKER", help="The worker's id, or its name if no other has it.")]


@app.callback()
def workers() -> None:
    """See who works, and send workers home."""


@app.command("list")
def list_workers(
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """List workers, the newest first."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.listings import workers_table
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        page = api.list_workers(limit=limit, cursor=cursor)
    show_json(page) if as_json else show(workers_table(page))


@app.command("show")
def show_worker(
    worker: Worker, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None
) -> None:
    """Show all that is known of one."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import find_worker
    from rota.entrypoints.cli.listings import details
    from rota.entrypoints.cli.tables import show

    with calling(url, token, tenant) as api:
        found = find_worker(api, worker)
    show_json(found) if as_json else show(details(found))


@app.command("drain")
def drain_worker(
    worker: Worker, as_json: AsJson = False, url: Url = "", token: Token = "", tenant: Tenant = None
) -> None:
    """Have a worker take no new runs: it ends when those that it has are over or handed back."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.finding import worker_id

    with calling(url, token, tenant) as api:
        found = api.drain_worker(worker_id(api, worker))
    show_json(found) if as_json else typer.echo(f"{found.name} is {found.state}, with {found.running} runs to end")
