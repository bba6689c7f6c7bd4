"""How schedules, jobs, workers and calendars look on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

import orjson
import typer
from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from rota.entrypoints.cli.tables import show
from rota.entrypoints.sdk.models import Calendar, Day, Fire, ImportedDays, Job, Miss, Moved, Page, Run, Schedule, Worker

STYLES = {"enabled": "green", "disabled": "dim", "ONLINE": "green", "DRAINING": "yellow", "OFFLINE": "dim"}
LONGEST = 80
NUMBERS = frozenset({"attempts", "timeout", "running", "holidays", "closures", "count"})
FREE = frozenset({"name", "what", "jobs", "limits", "description", "reason", "note", "rule"})
"""What may be broken; what is copied from a table is not."""


def schedules_table(page: Page[Schedule]) -> Table:
    table = _table("schedule", "name", "when", "what", "state", "next fire")
    for each in page.items:
        state = "enabled" if each.enabled else "disabled"
        what, when = target_text(each.target), trigger_text(each.trigger)
        table.add_row(each.id, _text(each.name), _text(when), _text(what), _state(state), time_text(each.next_fire_at))
    return _with_more(table, page)


def jobs_table(page: Page[Job]) -> Table:
    table = _table("job", "name", "queue", "attempts", "timeout", "limits")
    for each in page.items:
        said = each.model_dump(by_alias=True)
        attempts = (said.get("retry") or {}).get("maxAttempts")
        timeout = f"{said.get('timeoutSec')} s"
        table.add_row(each.id, _text(each.name), each.queue, str(attempts), timeout, _text(_limits(said)))
    return _with_more(table, page)


def workers_table(page: Page[Worker]) -> Table:
    table = _table("worker", "name", "state", "running", "last seen", "jobs")
    for each in page.items:
        running = f"{each.running}/{each.slots}"
        row = (each.id, _text(each.name), _state(each.state), running, time_text(each.last_seen_at))
        table.add_row(*row, _text(", ".join(each.jobs)))
    return _with_more(table, page)


def calendars_table(page: Page[Calendar]) -> Table:
    table = _table("calendar", "name", "zone", "working days", "holidays", "closures", "description")
    for each in page.items:
        counts = (str(len(each.holidays)), str(len(each.closures)))
        row = (each.id, _text(each.name), each.tz or "-", " ".join(each.working_days))
        table.add_row(*row, *counts, _text(each.description))
    return _with_more(table, page)


def fires_table(fires: Sequence[Fire]) -> Table:
    table = _table("at", "local", "scheduled for", "note")
    for each in fires:
        local = each.local.isoformat(timespec="seconds")
        table.add_row(time_text(each.at), local, time_text(each.scheduled_for), _text(each.note or ""))
    return table


def misses_table(page: Page[Miss]) -> Table:
    table = _table("first", "last", "count", "decided", "rule")
    for each in page.items:
        row = (time_text(each.first), time_text(each.last), str(each.count), time_text(each.decided_at))
        table.add_row(*row, _text(each.rule))
    return _with_more(table, page)


def days_table(days: Sequence[Day]) -> Table:
    table = _table("date", "", "", "reason")
    for each in days:
        state = Text("open", "green") if each.open else Text("closed", "dim")
        table.add_row(each.date.isoformat(), f"{each.date:%a}", state, _text(each.reason or ""))
    return table


def show_moved(moved: Sequence[Moved], *, would: bool) -> None:
    if moved:
        typer.echo(f"Next fires that {'would move' if would else 'moved'}:")
        show(moved_table(moved))


def show_imported(imported: ImportedDays, *, would: bool) -> None:
    taken = {name: len(days) for name, days in imported.taken.items()}
    counts = ", ".join(f"{count} {name}" for name, count in taken.items())
    typer.echo(f"{imported.calendar.name} {'would get' if would else 'has got'} {counts}")
    for event in imported.left_out:
        typer.echo(plain(f"left out: {event.get('field')}: {event.get('message')}"))
    show_moved(imported.affected, would=would)


def moved_table(moved: Sequence[Moved]) -> Table:
    table = _table("schedule", "name", "fired next", "fires next")
    for each in moved:
        table.add_row(each.schedule_id, _text(each.name), time_text(each.from_), time_text(each.to))
    return table


def details(thing: BaseModel) -> Table:
    """All that the server has told of it and is not empty, one field a line; what is within a field as JSON."""
    grid = Table.grid(padding=(0, 2))
    for name, value in thing.model_dump(by_alias=True).items():
        if value not in (None, "", {}, []):
            grid.add_row(Text(name, "dim"), _whole(value))
    return grid


def run_line(run: Run) -> str:
    """What has become of a run, as `watch` tells it."""
    told = f"{time_text(run.due_at)} {run.id} {run.state}"
    if run.attempt > 1:
        told += f" attempt {run.attempt}"
    why = run.reason or (f"{run.error.type}: {run.error.message}" if run.error else "")
    return plain(f"{told} {why}".strip())


def trigger_text(trigger: Mapping[str, Any]) -> str:  # Any: JSON
    """When, in a few words; those of a later version by their type."""
    kind = str(trigger.get("type"))
    words: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "CRON": lambda said: str(said["cron"]),
        "RRULE": lambda said: str(said["rrule"]),
        "BUSINESS_DAY": lambda said: f"business day {said['day']} of the {said['of'].lower()} at {said['at']}",
        "FIXED_RATE": lambda said: f"every {said['everySec']} s",
        "FIXED_DELAY": lambda said: f"{said['delaySec']} s after its end",
        "ONE_SHOT": lambda said: f"once, {said['startAt']}",
        "EVENT": lambda said: f"on {said['subject']}",
    }
    return words[kind](trigger) if kind in words else kind


def target_text(target: Mapping[str, Any]) -> str:  # Any: JSON
    kind = str(target.get("kind"))
    words: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "JOB": lambda said: f"job {said['job']}",
        "EVENT": lambda said: f"event {said['eventTopic']}",
        "HTTP": lambda said: f"{said['http'].get('method', 'POST')} {said['http']['url']}",
        "QUEUE": lambda said: f"queue {said['queue']['topic']}",
    }
    return words[kind](target) if kind in words else kind


def next_fire(schedule: Schedule) -> str:
    return f"fires next {time_text(schedule.next_fire_at)}" if schedule.next_fire_at else "has no further fire"


def time_text(instant: datetime | None) -> str:
    return "-" if instant is None else instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def plain(text: str) -> str:
    """Without what a terminal would obey: it is somebody else's text."""
    return "".join(char if char.isprintable() else " " for char in text)


def _limits(said: Mapping[str, Any]) -> str:  # Any: JSON
    limits = []
    if said.get("maxConcurrent") is not None:
        limits.append(f"{said['maxConcurrent']} at once")
    if rate := said.get("rateLimit"):
        limits.append(f"{rate['count']} per {rate['perSec']} s")
    if said.get("concurrencyKey"):
        limits.append(f"one per {said['concurrencyKey']}")
    return ", ".join(limits)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        justify: Literal["right", "left"] = "right" if column in NUMBERS else "left"
        table.add_column(column, overflow="fold", no_wrap=column not in FREE, justify=justify)
    return table


def _with_more(table: Table, page: Page[Any]) -> Table:  # Any: whatever it lists
    if page.next_cursor:
        table.caption = f"There are more: --cursor {page.next_cursor}"
    return table


def _state(state: str) -> Text:
    return Text(state, STYLES.get(state, ""))


def _text(text: str) -> Text:
    line = " ".join(plain(text).split())
    return Text(line if len(line) <= LONGEST else line[: LONGEST - 1] + "…")


def _whole(value: object) -> Text:
    if isinstance(value, datetime):
        return Text(time_text(value))
    if isinstance(value, str | date):
        return Text(plain(str(value)))
    return Text(plain(orjson.dumps(value, default=str).decode()))
