"""`rota demo`: the main job, end to end, before your eyes."""

from __future__ import annotations


def demo() -> None:
    """Show the main job end to end, in under a minute.

    Starts everything in a temporary directory, runs schedules on two workers, kills one, and judges the outcome. Exit
    status 0 only if no due time was doubled or missed.
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
