"""`rota backfills`: give due times of the past their runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rota.entrypoints.cli.arguments import Backfill, Schedule
from rota.entrypoints.cli.calling import Desk, Reason, Watch, command

if TYPE_CHECKING:
    from rota.entrypoints.sdk.models import Backfill as BackfillModel

app = typer.Typer(name="backfills", help="Give due times of the past their runs.", no_args_is_help=True)

From = Annotated[str, typer.Option("--from", help="The first due time that is meant, as 2026-01-31T09:00:00Z.")]
To = Annotated[str, typer.Option("--to", help="Due times before this are meant; at most now.")]


@command(
    app,
    "start",
    "rota backfills start daily-report --from 2026-03-01T00:00:00Z --to 2026-03-08T00:00:00Z --dry-run",
    "rota backfills start daily-report --from 2026-03-01T00:00:00Z --to 2026-03-08T00:00:00Z --watch",
    also=("create",),
)
def start_backfill(
    desk: Desk,
    schedule: Schedule,
    from_: From,
    to: To,
    max_concurrent: Annotated[int, typer.Option(help="How many of its runs are unfinished at a time, at most.")] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many runs it would make.")] = False,
    watch: Watch = False,
) -> None:
    """Make a run for each due time that has none; the backfill's id is told."""
    from rota.entrypoints.cli.finding import schedule_id

    own_id = schedule_id(desk.api, schedule)
    how: dict[str, Any] = {"from": from_, "to": to, "maxConcurrent": max_concurrent}
    if dry_run:
        would = desk.api.would_backfill(own_id, **how)
        desk.tell(would, lambda it: f"It would make {it.count} {'run' if it.count == 1 else 'runs'}.")
        return
    asked = desk.api.backfill(own_id, **how)
    if watch:
        _watch(desk, asked.id)
    else:
        desk.tell(asked, lambda it: it.id)


@command(app, "show", "rota backfills show 0199e0a0-0000-7000-8000-000000000000")
def show_backfill(
    desk: Desk, backfill: Backfill, follow: Annotated[bool, typer.Option("--follow", hidden=True)] = False
) -> None:
    """Show how far a backfill has come."""
    from rota.entrypoints.cli.run_tables import backfill_text

    if follow:
        _watch(desk, backfill)
    else:
        desk.tell(desk.api.get_backfill(backfill), backfill_text)


@command(app, "watch", "rota backfills watch 0199e0a0-0000-7000-8000-000000000000")
def watch_backfill(desk: Desk, backfill: Backfill) -> None:
    """Follow a backfill until its runs have ended; the exit status is 0 only if it is DONE."""
    _watch(desk, backfill)


@command(app, "cancel", "rota backfills cancel 0199e0a0-0000-7000-8000-000000000000 --reason 'the wrong week'")
def cancel_backfill(desk: Desk, backfill: Backfill, reason: Reason = "") -> None:
    """Have a backfill make no more runs; those that it has made go on."""
    from rota.entrypoints.cli.run_tables import backfill_text

    desk.tell(desk.api.cancel_backfill(backfill, reason), backfill_text)


def _watch(desk: Desk, own_id: str) -> None:
    from rota.entrypoints.cli.run_tables import backfill_text
    from rota.entrypoints.cli.watching import watch_work

    def ended(backfill: BackfillModel) -> int:
        return backfill.made - backfill.unfinished

    hint = f"rota backfills watch {own_id}, or cancel {own_id}"
    watch_work(desk, lambda: desk.api.get_backfill(own_id), "filling in", ended, backfill_text, hint)
