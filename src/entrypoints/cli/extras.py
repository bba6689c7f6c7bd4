"""What a plain `rota` lacks. Workers and callers need little; what servers need comes with `rota[server]`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def naming_the_extra() -> Iterator[None]:
    """A server's command in a plain `rota` ends with one line that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "rota":
            raise
        missing = f"this command needs what servers need ({error.name} is missing)"
        raise SystemExit(f"rota: {missing}: pip install 'rota[server]'") from None
