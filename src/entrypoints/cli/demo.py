"""`rota demo`: the main job, end to end, before your eyes."""

from __future__ import annotations


def demo() -> None:
    """Start everything in a temporary directory, run schedules on two workers, kill one, and judge the outcome.

    Takes under a minute; exit status 0 only if no due time was doubled or missed.
    """
    import asyncio

    import typer

    from rota.entrypoints.cli.fail import fail
    from rota.entrypoints.cli.show import ShowError, run_show

    try:
        is_right = asyncio.run(run_show())
    except ShowError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if not is_right:
        raise typer.Exit(1)
