"""`rota serve`: a process of the service against real servers."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    roles: Annotated[
        str, typer.Option(help="Which of api, leader, relay, reports, targets this process takes, with commas.")
    ] = "api,leader,relay,reports,targets",
    port: Annotated[int | None, typer.Option(help="HTTP port; 0 picks a free one.  [default: PORT or 3080]")] = None,
) -> None:
    """Run the server against POSTGRES_URL and NATS_URL, in the given roles."""
    from rota.entrypoints.cli.fail import fail, failing_clearly
    from rota.entrypoints.cli.running import run_serve, run_until_stopped
    from rota.entrypoints.settings import ROLES

    wanted = [role.strip() for role in roles.split(",") if role.strip()]
    unknown = [role for role in wanted if role not in ROLES]
    if unknown or not wanted:
        fail(f"--roles: {', '.join(unknown) or 'none given'}; known are {', '.join(ROLES)}")
    with failing_clearly():
        run_until_stopped(run_serve(port, wanted))
