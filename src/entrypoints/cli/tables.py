"""How answers look on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from rota.entrypoints.sdk.models import (
    DeadGroup,
    Explanation,
    Fire,
    Page,
    Run,
)

STYLES = {"SUCCEEDED": "green", "DEAD": "red", "RUNNING": "cyan", "RETRYING": "yellow", "CANCELLED": "dim"}
OUTCOMES = {"STOP": "red", "MOVE": "yellow", "FIRED": "green", "WILL_FIRE": "green", "MISSED": "red"}
LONGEST = 80
UNBOUNDED = 1_000
"""Where nobody looks, what comes next in the pipe shall find a line a row."""
WHOLE = frozenset({"at", "count", "example", "fingerprint", "last", "local", "outcome", "rule", "run", "scheduled for"})
"""What is copied from a table is not broken."""


def show(what: RenderableType) -> None:
    Console(highlight=False, width=None if sys.stdout.isatty() else UNBOUNDED).print(what)


def runs_table(page: Page[Run]) -> Table:
    table = _table("run", "job", "state", "cause", "scheduled for", "attempt", "reason")
    for run in page.items:
        why = run.reason or _error(run.error and run.error.model_dump())
        table.add_row(
            run.id,
            _of(run),
            Text(run.state, STYLES.get(run.state, "")),
            run.cause,
            _time(run.scheduled_for),
            str(run.attempt),
            _short(why),
        )
    if page.next_cursor:
        table.caption = "There are more: --limit, --from and --to choose."
    return table


def run_lines(run: Run) -> Table:
    """Whatever the server has told of it and is not empty, the attempts below."""
    grid = Table.grid(padding=(0, 2))
    for name, value in run.model_dump(by_alias=True).items():
        if name == "attempts" or value in (None, "", {}, []):
            continue
        grid.add_row(Text(name, "dim"), _text(value))
    for attempt in run.model_dump(by_alias=True).get("attempts") or ():
        told = f"{attempt.get('outcome') or 'under way'} {_error(attempt.get('error'))}"
        grid.add_row(Text(f"attempt {attempt.get('attempt')}", "dim"), Text(plain(told).strip()))
    return grid


def dead_table(groups: Iterable[DeadGroup]) -> Table:
    table = _table("count", "fingerprint", "job", "error", "last", "example")
    for group in groups:
        table.add_row(
            str(group.count),
            group.fingerprint,
            Text(group.job or "-"),
            _short(f"{group.error_type or ''}: {group.message or ''}"),
            _time(group.last),
            group.example_run_id,
        )
    return table


def fires_table(fires: Iterable[Fire]) -> Table:
    """`scheduled for` is left empty where that is the time of the fire itself."""
    table = _table("local", "at", "scheduled for", "note")
    for fire in fires:
        scheduled_for = "" if fire.scheduled_for == fire.at else _time(fire.scheduled_for)
        table.add_row(f"{fire.local:%a} {_time(fire.local)}", _time(fire.at), scheduled_for, plain(fire.note or ""))
    return table


def explanation_lines(explanation: Explanation) -> Table:
    """The rules as they were asked, one a line."""
    table = _table("rule", "outcome", "detail")
    for step in explanation.items:
        style = OUTCOMES.get(step.outcome, "")
        table.add_row(Text(step.rule), Text(step.outcome, style), Text(plain(step.detail)))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        justify: Literal["right", "left"] = "right" if column == "count" else "left"
        table.add_column(column, overflow="fold", no_wrap=column in WHOLE, justify=justify)
    return table


def _of(run: Run) -> Text:
    target = (run.model_extra or {}).get("target")
    return Text(run.job or str(target or "-"))


def _error(error: Any) -> str:  # Any: JSON
    return f"{error.get('type')}: {error.get('message')}" if isinstance(error, dict) else ""


def _time(instant: datetime | None) -> str:
    return "-" if instant is None else instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(value: object) -> Text:
    return Text(_time(value) if isinstance(value, datetime) else plain(str(value)))


def _short(text: str) -> Text:
    line = " ".join(plain(text).split())
    return Text(line if len(line) <= LONGEST else line[: LONGEST - 1] + "…")


def plain(text: str) -> str:
    """Without what a terminal would obey: it is somebody else's text."""
    return "".join(char if char.isprintable() else " " for char in text)
