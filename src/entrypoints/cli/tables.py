"""How answers look on a terminal, and in a pipe: there without colours, a line a row, nothing cut off."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal

import orjson
import typer
from pydantic import BaseModel
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

STYLES = {
    "enabled": "green", "disabled": "dim", "ONLINE": "green", "DRAINING": "yellow", "OFFLINE": "dim",
    "SUCCEEDED": "green", "DEAD": "red", "RUNNING": "cyan", "RETRYING": "yellow", "CANCELLED": "dim",
    "STOP": "red", "MOVE": "yellow", "FIRED": "green", "WILL_FIRE": "green", "MISSED": "red",
    "OK": "green", "WARNING": "yellow", "BAD": "red",
}  # fmt: skip
NUMBERS = frozenset({"attempt", "attempts", "timeout", "running", "holidays", "closures", "count"})
FREE = frozenset(
    {"name", "what", "when", "jobs", "job", "limits", "description", "detail", "reason", "error", "note", "finding"}
)
"""What may be broken where it does not fit; what is copied from a table is not."""
LONGEST = 80
UNBOUNDED = 10_000
"""Where nobody looks, what comes next in the pipe shall find a line a row."""
NARROWEST = 16
"""Of a column that may be broken."""
GAP = 2


class Listing:
    """A table of things. The columns named in `spare` give way, in that order, where the terminal is too narrow."""

    def __init__(self, things: str, *columns: str, spare: Sequence[str] = ()) -> None:
        self.things = things
        self.columns = columns
        self.spare = spare
        self.rows: list[list[Text]] = []
        self.foot = ""

    def add(self, *cells: str | Text) -> None:
        self.rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def of(self, page: BaseModel) -> Listing:
        """With a line below that tells what more there is than this `Page`."""
        said = page.model_dump(by_alias=True, exclude={"items"})
        if said.get("total") is not None:
            pages = -(-said["total"] // said["pageSize"])
            self.foot = f"Page {said['page']} of {pages}; {said['total']} {self.things} in all."
        elif said.get("nextCursor"):
            self.foot = f"There are more: --all, or --cursor {said['nextCursor']}"
        return self

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._table(self._fitting(options.max_width)) if self.rows else Text(f"No {self.things}.")
        if self.foot:
            yield Text(self.foot, "dim")

    def _fitting(self, width: int) -> list[int]:
        kept = list(range(len(self.columns)))
        for name in self.spare:
            if sum(self._least(index) + GAP for index in kept) - GAP <= width:
                break
            kept.remove(self.columns.index(name))
        return kept

    def _least(self, index: int) -> int:
        longest = max(len(self.columns[index]), *(row[index].cell_len for row in self.rows))
        return min(longest, NARROWEST) if self.columns[index] in FREE else longest

    def _table(self, kept: Sequence[int]) -> Table:
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, GAP, 0, 0))
        for index in kept:
            name = self.columns[index]
            justify: Literal["right", "left"] = "right" if name in NUMBERS else "left"
            table.add_column(name, overflow="fold", no_wrap=name not in FREE, justify=justify)
        for row in self.rows:
            table.add_row(*(row[index] for index in kept))
        return table


def show(what: RenderableType) -> None:
    if isinstance(what, str):
        typer.echo(what)
    else:
        screen = console()
        if screen.is_terminal:
            screen.print(what)
            return
        with screen.capture() as printed:
            screen.print(what)
        typer.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))


def console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else UNBOUNDED)


def details(thing: BaseModel) -> Table:
    """All that the server has told of it and is not empty, one field a line; what is within a field as JSON."""
    return fields_of(thing.model_dump(by_alias=True).items())


def fields_of(fields: Any) -> Table:  # Any: pairs of a name and JSON
    grid = Table.grid(padding=(0, GAP))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        if value not in (None, "", {}, []):
            grid.add_row(Text(name, "dim"), _whole(value))
    return grid


def state(of: str) -> Text:
    return Text(of, STYLES.get(of, ""))


def short(text: str) -> Text:
    line = " ".join(plain(text).split())
    return Text(line if len(line) <= LONGEST else line[: LONGEST - 1] + "…")


def time_text(instant: datetime | None) -> str:
    return "-" if instant is None else instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def error_text(error: Any) -> str:  # Any: JSON
    return f"{error.get('type')}: {error.get('message')}" if isinstance(error, dict) else ""


def plain(text: str) -> str:
    """Without what a terminal would obey: it is somebody else's text."""
    return "".join(char if char.isprintable() else " " for char in text)


def _whole(value: object) -> Text:
    if isinstance(value, datetime):
        return Text(time_text(value))
    if isinstance(value, str | date):
        return Text(plain(str(value)))
    return Text(plain(orjson.dumps(value, default=str).decode()))
