"""`rota apply`: have the server keep what files describe."""

from __future__ import annotations

from typing import Annotated

import typer

from rota.entrypoints.cli.asking import Yes, ask
from rota.entrypoints.cli.calling import Desk

EXAMPLES = (
    "rota apply -f shop.yaml --dry-run",
    "rota apply -f shop.yaml --prune --yes",
    "rota apply -f calendars.yaml -f jobs.yaml --owner shop",
)


def apply(
    desk: Desk,
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
    yes: Yes = False,
) -> None:
    """Make calendars, jobs and schedules be what files describe; the difference is shown first.

    What is made carries the label rota-owner, and only what carries it is changed or deleted. A field that is not
    described gets its default. Applying again changes nothing.
    """
    from rota.entrypoints.cli.applying import carry_out, plan_json, show_plan
    from rota.entrypoints.cli.file_sets import read_file_set
    from rota.entrypoints.cli.planning import make_plan

    plan = make_plan(desk.api, read_file_set(files, owner), prune=prune, adopt=adopt)
    if not desk.as_json:
        show_plan(plan)
    is_wanted = bool(plan.changes) and not dry_run
    if is_wanted:
        ask("Apply this?", yes=yes, as_json=desk.as_json, instead="--yes (or --dry-run)")
        carry_out(desk.api, plan)
    if desk.as_json:
        typer.echo(plan_json(plan, is_applied=is_wanted))
    elif is_wanted:
        typer.echo("Done.")
