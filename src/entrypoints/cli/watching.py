"""Following what goes on: runs until they have ended, lists until nobody looks any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import typer
from rich.live import Live

from rota.entrypoints.cli.calling import Desk, show_json
from rota.entrypoints.cli.fail import FAILED
from rota.entrypoints.cli.progress import progress
from rota.entrypoints.cli.run_tables import run_line
from rota.entrypoints.cli.tables import Listing, console, show
from rota.entrypoints.sdk.models import Backfill, Page, Redrive, Run

T = TypeVar("T")
Work = TypeVar("Work", Backfill, Redrive)

LOOK_EVERY = 0.5
LOOK_AT_LIST_EVERY = 1.0
NEWEST = 50


def watch_list(
    desk: Desk, look: Callable[[], Page[T]], table: Callable[[Page[T]], Listing], *, every: float = LOOK_AT_LIST_EVERY
) -> None:
    """Until Ctrl-C: on a terminal one table that changes, elsewhere a new one (a line of JSON) after each change."""
    screen = console()
    if desk.as_json or not screen.is_terminal:
        for page in _changes(look, every):
            desk.tell(page, table)
        return
    with Live(console=screen, auto_refresh=False, vertical_overflow="ellipsis") as live:
        for page in _changes(look, every):
            live.update(table(page), refresh=True)


def _changes(look: Callable[[], Page[T]], every: float) -> Iterator[Page[T]]:
    before: Page[Any] | None = None
    while True:
        page = look()
        if page != before:
            yield page
        before = page
        time.sleep(every)


def watch_run(desk: Desk, run_id: str) -> None:
    """A line whenever it has another state, until that is final. Raises typer.Exit unless it has succeeded."""
    told: tuple[str, int] | None = None
    while True:
        run = desk.api.get_run(run_id)
        if told != (run.state, run.attempt):
            told = (run.state, run.attempt)
            _tell(desk, run)
        if run.is_final:
            break
        time.sleep(LOOK_EVERY)
    if run.state != "SUCCEEDED":
        raise typer.Exit(FAILED)


def tell_run(desk: Desk, run: Run, *, watch: bool) -> None:
    """Its id, or what becomes of it."""
    if watch:
        watch_run(desk, run.id)
    else:
        desk.tell(run, lambda made: made.id)


def watch_runs(desk: Desk, schedule_id: str, count: int | None) -> None:
    """The newest runs, oldest first, and whatever becomes of them; ends when `count` of them have ended.

    States that came and went between two looks are not told.
    """
    told: dict[str, tuple[str, int]] = {}
    ended: set[str] = set()
    while True:
        for run in reversed(desk.api.list_runs(scheduleId=schedule_id, limit=NEWEST).items):
            if told.get(run.id) == (run.state, run.attempt):
                continue
            told[run.id] = (run.state, run.attempt)
            _tell(desk, run)
            if run.is_final:
                ended.add(run.id)
                if len(ended) == count:
                    return
        time.sleep(LOOK_EVERY)


def watch_work(
    desk: Desk, look: Callable[[], Work], what: str, done: Callable[[Work], int], said: Callable[[Work], str], hint: str
) -> None:
    """A backfill or redrive until it is over, with a bar. Raises typer.Exit unless it is DONE then.

    Ctrl-C ends the following and not the work; `hint` says how to go on.
    """
    try:
        work = _to_the_end(look, what, done)
    except KeyboardInterrupt:
        typer.echo(f"It goes on: {hint}", err=True)
        raise
    desk.tell(work, said)
    if work.state != "DONE":
        raise typer.Exit(FAILED)


def _to_the_end(look: Callable[[], Work], what: str, done: Callable[[Work], int]) -> Work:
    work = look()
    with progress(what, work.count) as advance:
        while True:
            advance(done(work), f"{work.dead} dead" if work.dead else "")
            if work.is_over:
                return work
            time.sleep(LOOK_EVERY)
            work = look()


def _tell(desk: Desk, run: Run) -> None:
    show_json(run) if desk.as_json else show(run_line(run))
