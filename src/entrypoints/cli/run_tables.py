"""How runs, dead letters, fires, backfills and redrives are told."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rota.entrypoints.cli.tables import Listing, error_text, fields_of, plain, short, state, time_text
from rota.entrypoints.sdk.models import (
    Backfill,
    DeadGroup,
    DueTime,
    Explanation,
    Fires,
    Miss,
    Page,
    Redrive,
    Run,
    WouldRedrive,
)


def runs_table(page: Page[Run]) -> Listing:
    columns = ("id", "job", "state", "cause", "scheduled for", "attempt", "reason")
    table = Listing("runs", *columns, spare=("cause", "attempt", "reason", "scheduled for"))
    for run in page.items:
        of, why = run.job or run.target or "-", run.reason or error_text(run.error and run.error.model_dump())
        facts = (state(run.state), run.cause, time_text(run.scheduled_for), str(run.attempt), short(why))
        table.add(run.id, short(of), *facts)
    return table.of(page)


def run_lines(run: Run) -> Table:
    """Whatever the server has told of it and is not empty, the attempts below."""
    told = run.model_dump(by_alias=True)
    fields = [(name, value) for name, value in told.items() if name != "attempts"]
    for attempt in told.get("attempts") or ():
        outcome = f"{attempt.get('outcome') or 'under way'} {error_text(attempt.get('error'))}"
        fields.append((f"attempt {attempt.get('attempt')}", outcome.strip()))
    return fields_of(fields)


def run_line(run: Run) -> str:
    """What has become of a run, as `watch` tells it."""
    told = f"{time_text(run.due_at)} {run.id} {run.state}"
    if run.attempt > 1:
        told += f" attempt {run.attempt}"
    return plain(f"{told} {run.reason or error_text(run.error and run.error.model_dump())}".strip())


def dead_table(page: Page[DeadGroup]) -> Listing:
    return _dead(page.items).of(page)


def _dead(groups: Iterable[DeadGroup]) -> Listing:
    columns = ("count", "fingerprint", "job", "error", "last", "example")
    table = Listing("dead letters", *columns, spare=("example", "last"))
    for group in groups:
        error = short(f"{group.error_type or ''}: {group.message or ''}")
        row = (str(group.count), group.fingerprint, short(group.job or "-"), error)
        table.add(*row, time_text(group.last), group.example_run_id)
    return table


def fires_table(fires: Fires) -> Listing:
    """`scheduled for` is left empty where that is the time of the fire itself."""
    table = Listing("further fires", "local", "at", "scheduled for", "note")
    for fire in fires.fires:
        scheduled_for = "" if fire.scheduled_for == fire.at else time_text(fire.scheduled_for)
        table.add(f"{fire.local:%a} {time_text(fire.local)}", time_text(fire.at), scheduled_for, short(fire.note or ""))
    return table


def misses_table(page: Page[Miss]) -> Listing:
    table = Listing("misses", "first", "last", "count", "decided", "rule", spare=("decided",))
    for each in page.items:
        times = (time_text(each.first), time_text(each.last), str(each.count), time_text(each.decided_at))
        table.add(*times, short(each.rule))
    return table.of(page)


def skipped_text(skipped: Iterable[DueTime]) -> str:
    return "".join(f"skipped {time_text(due.due_at)}\n" for due in skipped)


def explanation_lines(explanation: Explanation) -> Listing:
    """The rules as they were asked, one a line."""
    table = Listing("rules", "rule", "outcome", "detail")
    for step in explanation.items:
        table.add(step.rule, state(step.outcome), Text(plain(step.detail)))
    return table


def what_it_would_take(would: WouldRedrive) -> RenderableType:
    said = f"It would redrive {would.count} {'dead letter' if would.count == 1 else 'dead letters'}."
    return Group(said, _dead(would.groups)) if would.groups else said


def redrive_text(redrive: Redrive) -> str:
    said = f"{redrive.id} is {redrive.state}: {redrive.made} of {redrive.count} have a new run"
    return _with(said, redrive.reason, (redrive.passed, "were passed over"), (redrive.dead, "are dead again"))


def backfill_text(backfill: Backfill) -> str:
    said = f"{backfill.id} is {backfill.state}: {backfill.made} of {backfill.count} runs are made"
    counts = (
        (backfill.unfinished, "not ended yet"),
        (backfill.dead, "dead"),
        (backfill.cancelled, "cancelled"),
    )
    return _with(said, backfill.reason, *counts)


def _with(said: str, reason: str | None, *counts: tuple[int, str]) -> str:
    said += "".join(f", {count} {what}" for count, what in counts if count)
    return plain(f"{said} ({reason})" if reason else said)
