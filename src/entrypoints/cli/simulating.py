"""A simulation from its file to what is printed. What comes is printed as it is found, however much it is."""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from pydantic_core import PydanticCustomError

from rota.application.simulate_fires import SimulatedFire, check_period, fires_of, simulated_fires, standing
from rota.domain.errors import InvalidError
from rota.domain.ids import TenantId
from rota.domain.notes import note_of
from rota.domain.schedule import Schedule
from rota.domain.time.zone import load_zone
from rota.domain.trigger import Ground
from rota.entrypoints.cli.progress import counted
from rota.entrypoints.cli.simulation_file import read_file
from rota.entrypoints.http.wire.base import instant

LINES = 2_000
"""Written at once."""

Row = Mapping[str, Any]  # Any: JSON


def tell_fires(file: Path, from_: str, to: str, tz: str, tenant: str, *, as_json: bool, notes: bool) -> None:
    """Raises InvalidError, OSError."""
    since, until = _period(from_, to)
    found = simulated_fires(_schedules(file, since, tz, tenant), since, until)
    rows = (_row(fire, notes=notes) for fire in found)
    _write(_document(since, until, "fires", rows) if as_json else _fire_lines(rows))


def tell_summary(file: Path, from_: str, to: str, tz: str, tenant: str, *, as_json: bool) -> None:
    """Raises InvalidError, OSError."""
    since, until = _period(from_, to)
    rows = (_counted(own, since, until) for own in _schedules(file, since, tz, tenant))
    _write(_document(since, until, "schedules", rows) if as_json else _count_lines(rows))


def _period(from_: str, to: str) -> tuple[datetime, datetime]:
    since, until = _instant(from_, "--from"), _instant(to, "--to")
    check_period(since, until)
    return since, until


def _counted(own: Schedule, since: datetime, until: datetime) -> Row:
    count, first, last = 0, None, None
    for due in fires_of(own, since, until):
        count, first, last = count + 1, first or due.due_at, due.due_at
    return {
        "schedule": own.definition.name,
        "count": count,
        "first": first and _said(first),
        "last": last and _said(last),
    }


def _schedules(file: Path, since: datetime, tz: str, tenant: str) -> list[Schedule]:
    zoneinfo.reset_tzpath(to=())  # as on a server: the packaged time zone data counts, not the machine's
    whose = TenantId(tenant)
    said = read_file(file, whose, tz)
    return list(standing(whose, said.schedules, said.calendars, since))


def _instant(text: str, option: str) -> datetime:
    try:
        return instant(f"{text}T00:00:00Z" if len(text) == len("2026-01-31") else text)
    except PydanticCustomError as error:
        raise InvalidError(error.message(), option) from error


def _row(fire: SimulatedFire, *, notes: bool) -> Row:
    own, due = fire.schedule, fire.due
    zone = load_zone(own.definition.tz)
    row = {
        "schedule": own.definition.name,
        "at": _said(due.due_at),
        "scheduledFor": _said(due.scheduled_for),
        "local": due.due_at.astimezone(zone).isoformat(),
    }
    return row | {"note": _note(fire, zone) or None} if notes else row


def _note(fire: SimulatedFire, zone: ZoneInfo) -> str:
    own = fire.schedule
    said = own.definition
    ground = Ground(zone, own.created_at, said.start_at, own.open_days)
    return note_of(fire.due, said.trigger, ground, said.calendar.on_closed if said.calendar else None)


def _said(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _fire_lines(rows: Iterable[Row]) -> Iterator[str]:
    yield f"{'at':<20}  {'local':<25}  schedule"
    for row in rows:
        moved = "" if row["scheduledFor"] == row["at"] else f"  (scheduled for {row['scheduledFor']})"
        note = f"  {row['note']}" if row.get("note") else ""
        yield f"{row['at']:<20}  {row['local']:<25}  {row['schedule']}{moved}{note}"


def _count_lines(rows: Iterable[Row]) -> Iterator[str]:
    yield f"{'count':>9}  {'first':<20}  {'last':<20}  schedule"
    for row in rows:
        yield f"{row['count']:>9}  {row['first'] or '-':<20}  {row['last'] or '-':<20}  {row['schedule']}"


def _document(since: datetime, until: datetime, name: str, rows: Iterable[Row]) -> Iterator[str]:
    """One JSON object, an item a line."""
    yield f'{{"from":"{_said(since)}","to":"{_said(until)}","{name}":['
    found = (orjson.dumps(row).decode() for row in rows)
    before = next(found, None)
    for row in found:
        yield f"{before},"
        before = row
    yield from (before,) if before is not None else ()
    yield "]}"


def _write(lines: Iterable[str]) -> None:
    """With a bar that counts them, where they are not seen themselves."""
    found = iter(lines) if sys.stdout.isatty() else counted("simulating", lines, every=LINES)
    while portion := list(islice(found, LINES)):
        sys.stdout.write("\n".join(chain(portion, ("",))))
