"""Asking before something is lost."""

from __future__ import annotations

from typing import Annotated

import typer

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def ask(question: str, *, yes: bool, as_json: bool, instead: str = "--yes") -> None:
    """Ends the command unless somebody says yes; where nobody can be asked, they must have said it before."""
    import sys

    from rota.entrypoints.cli.fail import fail

    if yes:
        return
    if as_json or not sys.stdin.isatty():
        fail(f"nothing is changed: nobody can be asked, so say {instead}")
    if not typer.confirm(question, err=True):
        fail("nothing is changed")
