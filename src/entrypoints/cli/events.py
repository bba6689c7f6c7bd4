"""`rota events`: what happens, as it happens."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="events", help="What happens, as it happens.", no_args_is_help=True)


@app.callback()
def events() -> None:
    """What happens, as it happens."""


@app.command("tail")
def tail(
    tenant: Annotated[str, typer.Option(help="Only this tenant's; * for all.")] = "*",
    kind: Annotated[str, typer.Option("--type", help="As in run, run.failed or worker.*; * for all.")] = "*",
    since: Annotated[float | None, typer.Option(help="Begin this many seconds ago, from what the bus keeps.")] = None,
    count: Annotated[int | None, typer.Option(help="End after this many.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One CloudEvent a line.")] = False,
    nats_url: Annotated[str, typer.Option(envvar="NATS_URL", help="The bus.")] = "",
) -> None:
    """Print events until Ctrl-C: time, tenant, type, subject and what matters of it."""
    import asyncio

    from rota.entrypoints.cli.fail import fail
    from rota.entrypoints.cli.tailing import BusAwayError, tail_events

    if not nats_url:
        fail("NATS_URL: not set (`rota up` prints it)")
    try:
        asyncio.run(tail_events(nats_url, tenant, kind, since=since, count=count, as_json=as_json))
    except BusAwayError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
