"""`rota apply`: have the server keep what files describe."""

from __future__ import annotations

from typing import Annotated

import typer

from rota.entrypoints.cli.calling import AsJson, Tenant, Token, Url


def apply(
    files: Annotated[
        list[str],
        typer.Option("--file", "-f", metavar="FILE", help="YAML or JSON; - is standard input; repeatable."),
    ],
    owner: Annotated[
        str | None, typer.Option(help="Whose it is.  [default: owner in the file, or the file's name]")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete the owner's own that is no longer described.")] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over what is there and is nobody's.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    url: Url = "",
    token: Token = "",
    tenant: Tenant = None,
) -> None:
    """Make calendars, jobs and schedules be what files describe; the difference is shown first.

    What is made carries the label rota-owner, and only what carries it is changed or deleted. A field that is not
    described gets its default. Applying again changes nothing.
    """
    from rota.entrypoints.cli.applying import carry_out, plan_json, show_plan
    from rota.entrypoints.cli.calling import calling
    from rota.entrypoints.cli.file_sets import read_file_set
    from rota.entrypoints.cli.planning import make_plan

    with calling(url, token, tenant) as api:
        plan = make_plan(api, read_file_set(files, owner), prune=prune, adopt=adopt)
        if not as_json:
            show_plan(plan)
        is_wanted = bool(plan.changes) and not dry_run
        if is_wanted:
            if not yes:
                _ask(is_quiet=as_json)
            carry_out(api, plan)
        if as_json:
            typer.echo(plan_json(plan, is_applied=is_wanted))
        elif is_wanted:
            typer.echo("Done.")


def _ask(*, is_quiet: bool) -> None:
    """Ends the command where nobody says yes."""
    import sys

    from rota.entrypoints.cli.fail import fail

    if is_quiet or not sys.stdin.isatty():
        fail("nothing is changed: nobody can be asked, so say --yes (or --dry-run)")
    if not typer.confirm("Apply this?", err=True):
        fail("nothing is changed")
