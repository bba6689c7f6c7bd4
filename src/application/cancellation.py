"""Cancellation must end what it was meant for, even where a library below has swallowed it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


def pass_on_cancellation() -> None:
    """Raises the cancellation of the present task if something below has swallowed it.

    `asyncio.wait_for` of Python 3.11 does, when what it waits for is done at the same moment; a loop that goes
    on after that cannot be stopped any more.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@contextmanager
def cancellation_kept() -> Iterator[None]:
    """As `pass_on_cancellation`, for what is done inside: one from before, as on the way out, does not count."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
