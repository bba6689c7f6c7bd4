"""How the event log looks on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from rota.entrypoints.cli.tables import plain
from rota.entrypoints.cli.tailing import MATTERS
from rota.entrypoints.sdk.following import EventPage

STYLES = {"succeeded": "green", "failed": "red", "dead": "red", "missed": "red", "offline": "yellow"}
LONGEST = 100


def events_table(page: EventPage) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("sequence", "time", "type", "subject", "data"):
        justify = "right" if column == "sequence" else "left"
        table.add_column(column, overflow="fold", no_wrap=column != "data", justify=justify)  # type: ignore[arg-type]
    for event in page.items:
        kind = event.type.removeprefix("scheduler.")
        style = STYLES.get(kind.rpartition(".")[2], "")
        time = event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        table.add_row(str(event.sequence), time, Text(kind, style), event.subject, Text(_short(event.data)))
    if page.next_cursor:
        table.caption = f"There are more: --after {page.last_sequence}"
    return table


def _short(data: Mapping[str, Any]) -> str:  # Any: JSON
    told = " ".join(f"{name}={_text(data[name])}" for name in (*MATTERS, "version") if data.get(name))
    line = " ".join(plain(told).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _text(value: object) -> str:
    return "…" if isinstance(value, dict | list) else str(value)
