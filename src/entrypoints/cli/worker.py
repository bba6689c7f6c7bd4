"""`rota worker`: run a worker that is defined in a module."""

from __future__ import annotations

from typing import Annotated

import typer


def worker(
    target: Annotated[str, typer.Argument(metavar="MODULE:WORKER", help="Where the Worker is, as in tasks:worker.")],
) -> None:
    """Carry out runs until SIGTERM or Ctrl-C drains the worker. Needs ROTA_URL, and ROTA_TOKEN or ROTA_TOKEN_FILE."""
    import gc

    from rota.entrypoints.cli.fail import fail
    from rota.entrypoints.sdk.errors import RotaError
    from rota.entrypoints.sdk.runner import run_worker

    gc.set_threshold(50_000, 20, 100)  # a batch of runs is no reason to look for garbage every 700 objects
    try:
        run_worker(target)
    except (ValueError, ImportError, RotaError) as error:
        fail(str(error))
