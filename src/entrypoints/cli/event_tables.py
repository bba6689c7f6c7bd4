"""How the event log looks on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from rota.entrypoints.cli.tables import Listing, short
from rota.entrypoints.cli.tailing import MATTERS
from rota.entrypoints.sdk.following import Event
from rota.entrypoints.sdk.models import Page

STYLES = {"succeeded": "green", "failed": "red", "dead": "red", "missed": "red", "offline": "yellow"}


def events_table(page: Page[Event]) -> Listing:
    table = Listing("events", "sequence", "time", "type", "subject", "detail", spare=("sequence", "subject"))
    for event in page.items:
        kind = event.type.removeprefix("scheduler.")
        time = event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        style = STYLES.get(kind.rpartition(".")[2], "")
        table.add(str(event.sequence), time, Text(kind, style), event.subject, short(_told(event.data)))
    return table.of(page)


def _told(data: Mapping[str, Any]) -> str:  # Any: JSON
    return " ".join(f"{name}={_text(data[name])}" for name in (*MATTERS, "version") if data.get(name))


def _text(value: object) -> str:
    return "…" if isinstance(value, dict | list) else str(value)
