"""`rota up`: everything on this machine, with nothing installed but this package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def up(
    port: Annotated[int | None, typer.Option(help="HTTP port; 0 picks a free one.  [default: PORT or 3080]")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where all data is kept.  [default: ROTA_DATA_DIR]")] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write {url, token, tenant, natsUrl, postgresUrl, pid} here once ready.")
    ] = None,
) -> None:
    """Run all of it on this machine: Postgres, NATS and the server.

    A token is printed, with what to export for other commands. Ctrl-C stops all in order; what was stored stays in
    the data directory.
    """
    from rota.entrypoints.cli.fail import failing_clearly
    from rota.entrypoints.cli.running import run_until_stopped, run_up

    with failing_clearly():
        run_until_stopped(run_up(port, data_dir, ready_file))
