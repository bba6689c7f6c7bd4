"""How a command ends in failure: one line on standard error, exit status 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer


def fail(message: str) -> NoReturn:
    typer.echo(f"rota: {message}", err=True)
    raise typer.Exit(1)


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
