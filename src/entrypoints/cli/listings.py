"""How schedules, jobs, workers and calendars look on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from rota.entrypoints.cli.tables import Listing, plain, short, state, time_text
from rota.entrypoints.sdk.models import (
    Calendar,
    ChangedCalendar,
    Days,
    ImportedDays,
    Job,
    Moved,
    Page,
    Schedule,
    Worker,
)


def schedules_table(page: Page[Schedule]) -> Listing:
    columns = ("id", "name", "when", "what", "state", "next fire")
    table = Listing("schedules", *columns, spare=("id", "what"))
    for each in page.items:
        is_enabled = state("enabled" if each.enabled else "disabled")
        texts = (short(each.name), short(trigger_text(each.trigger)), short(target_text(each.target)))
        table.add(each.id, *texts, is_enabled, time_text(each.next_fire_at))
    return table.of(page)


def jobs_table(page: Page[Job]) -> Listing:
    columns = ("id", "name", "queue", "attempts", "timeout", "limits")
    table = Listing("jobs", *columns, spare=("id", "limits"))
    for each in page.items:
        said = each.model_dump(by_alias=True)
        attempts = (said.get("retry") or {}).get("maxAttempts")
        timeout = f"{said.get('timeoutSec')} s"
        table.add(each.id, short(each.name), each.queue, str(attempts), timeout, short(_limits(said)))
    return table.of(page)


def workers_table(page: Page[Worker]) -> Listing:
    table = Listing("workers", "id", "name", "state", "running", "last seen", "jobs", spare=("id", "jobs"))
    for each in page.items:
        running = f"{each.running}/{each.slots}"
        row = (each.id, short(each.name), state(each.state), running, time_text(each.last_seen_at))
        table.add(*row, short(", ".join(each.jobs)))
    return table.of(page)


def calendars_table(page: Page[Calendar]) -> Listing:
    columns = ("id", "name", "zone", "working days", "holidays", "closures", "description")
    table = Listing("calendars", *columns, spare=("id", "description"))
    for each in page.items:
        counts = (str(len(each.holidays)), str(len(each.closures)))
        row = (each.id, short(each.name), each.tz or "-", " ".join(each.working_days))
        table.add(*row, *counts, short(each.description))
    return table.of(page)


def days_table(days: Days) -> Listing:
    table = Listing("days", "date", "", " ", "reason")
    for each in days.days:
        is_open = Text("open", "green") if each.open else Text("closed", "dim")
        table.add(each.date.isoformat(), f"{each.date:%a}", is_open, short(each.reason or ""))
    return table


def changed_text(changed: ChangedCalendar, *, would: bool) -> RenderableType:
    said = f"{changed.name} {'would be' if would else 'is'} at version {changed.version}"
    return _with_moved(said, changed.affected, would=would)


def imported_text(imported: ImportedDays, *, would: bool) -> RenderableType:
    counts = ", ".join(f"{len(days)} {name}" for name, days in imported.taken.items())
    said = [f"{imported.calendar.name} {'would get' if would else 'has got'} {counts}"]
    said += (plain(f"left out: {event.get('field')}: {event.get('message')}") for event in imported.left_out)
    return _with_moved("\n".join(said), imported.affected, would=would)


def _with_moved(said: str, moved: Sequence[Moved], *, would: bool) -> RenderableType:
    if not moved:
        return said
    table = Listing("schedules", "id", "name", "fired next", "fires next", spare=("id",))
    for each in moved:
        table.add(each.schedule_id, short(each.name), time_text(each.from_), time_text(each.to))
    return Group(Text(said), f"Next fires that {'would move' if would else 'moved'}:", table)


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


def _limits(said: Mapping[str, Any]) -> str:  # Any: JSON
    limits = []
    if said.get("maxConcurrent") is not None:
        limits.append(f"{said['maxConcurrent']} at once")
    if rate := said.get("rateLimit"):
        limits.append(f"{rate['count']} per {rate['perSec']} s")
    if said.get("concurrencyKey"):
        limits.append(f"one per {said['concurrencyKey']}")
    return ", ".join(limits)
