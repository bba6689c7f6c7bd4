"""`rota events`: what has happened, and what happens."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rota.entrypoints.cli.calling import Desk, Token, Url, calling
from rota.entrypoints.cli.helping import texts
from rota.entrypoints.cli.lists import Asked, list_command

app = typer.Typer(name="events", help="What has happened, and what happens.", no_args_is_help=True)

Kind = Annotated[str, typer.Option("--type", help="As in run, run.failed or worker.*; * for all.")]
Subject = Annotated[str | None, typer.Option(help="Only of this schedule, run, job, calendar or worker, by its id.")]


@app.callback()
def events() -> None:
    """What has happened, and what happens."""


@list_command(
    app, "list", "rota events list --type run.failed", "rota events list --after 1042 --all --json", numbered=False
)
def list_events(
    desk: Desk,
    kind: Kind = "*",
    subject: Subject = None,
    after: Annotated[int | None, typer.Option(min=0, help="Only what comes after this sequence.")] = None,
) -> Asked[Any]:
    """Read the event log, the oldest first."""
    from rota.entrypoints.cli.event_tables import events_table

    wanted = {"type": None if kind == "*" else kind, "subject": subject, "after": after}
    return Asked(desk.api.list_events, events_table, wanted)


def tail(
    tenant: Annotated[str, typer.Option(help="Only this tenant's; * for all that may be heard.")] = "*",
    kind: Kind = "*",
    subject: Subject = None,
    since: Annotated[float | None, typer.Option(help="Begin this many seconds ago, from what the bus keeps.")] = None,
    after: Annotated[int | None, typer.Option(min=0, help="Begin after this sequence of the event log.")] = None,
    count: Annotated[int | None, typer.Option(help="End after this many.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One CloudEvent a line.")] = False,
    nats_url: Annotated[
        str, typer.Option(envvar="NATS_URL", help="The bus; without it, or by --after or --subject, the API.")
    ] = "",
    url: Url = "",
    token: Token = "",
) -> None:
    """Print events until Ctrl-C: time, tenant, type, subject and what matters of it."""
    from rota.entrypoints.cli.fail import fail

    if not nats_url and not url:
        fail("NATS_URL: not set, and neither is ROTA_URL (`rota up` prints both)")
    if nats_url and after is None and subject is None:  # those only the API knows
        _tail_bus(nats_url, tenant, kind, since=since, count=count, as_json=as_json)
    else:
        if since is not None:
            fail("--since: only the bus knows it; say --after, or set NATS_URL")
        _tail_api(url, token, tenant, kind, subject, after=after, count=count, as_json=as_json)


def _tail_bus(url: str, tenant: str, kind: str, *, since: float | None, count: int | None, as_json: bool) -> None:
    import asyncio

    from rota.entrypoints.cli.fail import fail
    from rota.entrypoints.cli.tailing import BusAwayError, tail_events

    try:
        asyncio.run(tail_events(url, tenant, kind, since=since, count=count, as_json=as_json))
    except (BusAwayError, ValueError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _tail_api(
    url: str,
    token: str,
    tenant: str,
    kind: str,
    subject: str | None,
    *,
    after: int | None,
    count: int | None,
    as_json: bool,
) -> None:
    from rota.entrypoints.cli.tailing import line

    with calling(url, token, None if tenant == "*" else tenant) as api:
        followed = api.follow_events(after=after, type=None if kind == "*" else kind, subject=subject)
        for seen, event in enumerate(followed, start=1):
            print(event.model_dump_json() if as_json else line(event.model_dump(mode="json")), flush=True)
            if seen == count:
                return


app.command("tail", **texts(tail.__doc__, ["rota events tail --type run.failed", "rota events tail --count 1 --json"]))(
    tail
)
