"""Following the runs of a schedule."""

from __future__ import annotations

import time

import typer

from rota.entrypoints.cli.calling import show_json
from rota.entrypoints.cli.listings import run_line
from rota.entrypoints.sdk.client import RotaSync

LOOK_EVERY = 0.5
NEWEST = 50


def watch_runs(api: RotaSync, schedule_id: str, count: int | None, *, as_json: bool) -> None:
    """The newest runs, oldest first, and whatever becomes of them; ends when `count` of them have ended.

    States that came and went between two looks are not told.
    """
    told: dict[str, tuple[str, int]] = {}
    ended: set[str] = set()
    while True:
        for run in reversed(api.list_runs(scheduleId=schedule_id, limit=NEWEST).items):
            if told.get(run.id) == (run.state, run.attempt):
                continue
            told[run.id] = (run.state, run.attempt)
            show_json(run) if as_json else typer.echo(run_line(run))
            if run.is_final:
                ended.add(run.id)
                if len(ended) == count:
                    return
        time.sleep(LOOK_EVERY)
