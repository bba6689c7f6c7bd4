"""`rota schedules`: ask about schedules."""

from __future__ import annotations

from typing import Annotated

import typer

from rota.entrypoints.cli.calling import AsJson, Tenant, Token, Url

app = typer.Typer(name="schedules", help="Ask about schedules.", no_args_is_help=True)


@app.callback()
def schedules() -> None:
    """Ask about schedules."""


@app.command("explain")
def explain(
    schedule: Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's id.")],
    at: Annotated[str, typer.Option(help="The instant, as 2026-03-29T01:00:00Z or with another offset.")],
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Tell why it did or will fire at an instant, or not: each rule that was asked, in order."""
    from rota.entrypoints.cli.calling import calling, show_json
    from rota.entrypoints.cli.tables import explanation_lines, show

    with calling(url, token, tenant) as api:
        told = api.explain(schedule, at)
    show_json(told) if as_json else show(explanation_lines(told))
