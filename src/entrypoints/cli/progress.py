"""Bars for work that takes long: on standard error, and only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

Advance = Callable[[int, str], None]
"""How much is done, and what else is told."""


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Advance]:
    """`total` None: nobody knows."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total, told="")

        def advance(done: int, told: str) -> None:
            bar.update(task, completed=done, told=told)

        yield advance


def counted(what: str, items: Iterable[T], total: int | None = None, *, every: int = 1) -> Iterator[T]:
    """The items, with a bar that counts them."""
    done = 0
    with progress(what, total) as advance:
        for done, item in enumerate(items, 1):
            yield item
            if not done % every:
                advance(done, "")
        advance(done, "")
