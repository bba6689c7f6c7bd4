"""How a command ends.

0    it did what it was told
1    it was refused or has failed: one line on standard error says why
2    it was called wrongly: an unknown option, a value that is none
130  Ctrl-C ended it
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

FAILED, INTERRUPTED = 1, 130


def fail(message: str) -> NoReturn:
    typer.echo(f"rota: {message}", err=True)
    raise typer.Exit(FAILED)


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Errors that a user can do something about are told in one line; others are bugs and keep their trace."""
    from rota.domain.errors import RotaError
    from rota.entrypoints.settings import SettingsError

    try:
        yield
    except* (RotaError, SettingsError, OSError) as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        fail(str(first) or type(first).__name__)
