"""Cancellation must end what it was meant for, even where a library below has swallowed it."""

from __future__ import annotations

import asyncio


def pass_on_cancellation() -> None:
    """Raises the cancellation of the present task if something below has swallowed it.

    `asyncio.wait_for` of Python 3.11 does, when what it waits for is done at the same moment; a loop that goes
    on after that cannot be stopped any more.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
