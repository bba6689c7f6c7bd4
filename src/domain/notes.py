"""What is to be said of a due time, in plain words: where a clock change, a calendar or a spread touched it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from rota.domain.calendars.open_days import Cause, DayVerdict, OpenDays
from rota.domain.calendars.settling import OnClosed, settle, verdict_at
from rota.domain.misfire import DueTime
from rota.domain.time.cron import parse_cron
from rota.domain.time.rrule import RFC_5545, default_start
from rota.domain.time.rrule_text import parse_rrule
from rota.domain.time.zone import ClockChange, Gap, Overlap, Turn, Walls, turns, wall_at
from rota.domain.trigger import Cron, Ground, OnBusinessDay, OneShot, Rrule, Trigger

TOLD = 3
"""So many skipped times or closed days are told one by one."""

_LOOKED_AT = 2_000
_REACH = timedelta(days=2)  # longer than any clock change
_JUST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class LocalRule:
    """What a trigger names in local time, and what becomes of that where the clock is changed."""

    walls: Walls
    change: ClockChange


def local_rule_of(trigger: Trigger, ground: Ground) -> LocalRule | None:
    """None for a trigger that knows no local time."""
    match trigger:
        case Cron(cron, dst):
            expression = parse_cron(cron)
            return LocalRule(expression.walls, dst or expression.default_change)
        case Rrule(rrule, start_at, dst):
            start = start_at or default_start(ground.created_at, ground.zone)
            return LocalRule(parse_rrule(rrule).walls(start, ground.zone), dst or RFC_5545)
        case OnBusinessDay(rule) if (calendar := ground.open_days) is not None:
            return LocalRule(lambda low, high: rule.walls(low, high, calendar), rule.dst or ClockChange())
        case OneShot(start_at) if start_at.tzinfo is None:
            return LocalRule(lambda low, high: (start_at,) if low <= start_at < high else (), ClockChange())
    return None


def note_of(
    due: DueTime,
    trigger: Trigger,
    ground: Ground,
    on_closed: OnClosed | None = None,
    *,
    since: datetime | None = None,
) -> str:
    """What touched that due time, joined by semicolons; empty where nothing did.

    `on_closed` is what the schedule does by the calendar of `ground`, None where it goes by none. `since` is the
    `scheduled_for` of the due time before: days that SKIP has closed between the two are told with the later.
    """
    parts = [*_of_clock(due.scheduled_for, trigger, ground)]
    landed = due.scheduled_for
    if on_closed is not None and ground.open_days is not None:
        landed = settle(due.scheduled_for, ground.zone, ground.open_days, on_closed) or landed
        parts += _of_calendar(due.scheduled_for, landed, ground.zone, ground.open_days)
        if on_closed is OnClosed.SKIP and since is not None:
            parts += _of_closed_days(since, due.scheduled_for, trigger, ground, ground.open_days)
    if due.due_at > landed:
        parts.append(f"spread: later by {(due.due_at - landed).total_seconds():g} s")
    return "; ".join(parts)


# The clock


def _of_clock(at: datetime, trigger: Trigger, ground: Ground) -> Iterator[str]:
    for turn in turns(ground.zone, at - _REACH, at + _REACH):
        if rule := local_rule_of(trigger, ground):
            found = _of_gap if turn.reads > turn.was else _of_overlap
            yield from found(at, turn, rule, ground.zone)


def _of_gap(at: datetime, turn: Turn, rule: LocalRule, zone: ZoneInfo) -> Iterator[str]:
    if rule.change.gap is Gap.NEXT_VALID and at == turn.at:
        skipped = [*islice(rule.walls(turn.was, turn.reads), TOLD + 1)]
        why = "the first instant after the gap"
    elif rule.change.gap is Gap.SHIFT:
        wall = (at + turn.before).replace(tzinfo=None)
        skipped = _named(rule, wall) if turn.was <= wall < turn.reads else []
        why = "later by the length of the gap"
    else:
        return
    if skipped:
        verb = "does" if len(skipped) == 1 else "do"
        yield (
            f"{_listed(map(_time, skipped))} {verb} not exist in {zone} on {skipped[0]:%Y-%m-%d}:"
            f" due at {_time(wall_at(at, zone))}, {why}"
        )


def _of_overlap(at: datetime, turn: Turn, rule: LocalRule, zone: ZoneInfo) -> Iterator[str]:
    wall = wall_at(at, zone)
    if not turn.reads <= wall < turn.was or not _named(rule, wall):
        return
    which = "the first" if at < turn.at else "the second"
    how = f"due both times, this is {which}" if rule.change.overlap is Overlap.BOTH else f"due {which} time"
    yield f"{_time(wall)} comes twice in {zone} on {wall:%Y-%m-%d}: {how}"


def _named(rule: LocalRule, wall: datetime) -> list[datetime]:
    return [*rule.walls(wall, wall + _JUST)]


# The calendar


def _of_calendar(at: datetime, landed: datetime, zone: ZoneInfo, calendar: OpenDays) -> Iterator[str]:
    verdict = verdict_at(at, zone, calendar)
    if verdict.cause is Cause.EXTRA_OPEN_DAY:
        yield f"{calendar.name} is open on {verdict.day}: {verdict.reason}"
    if landed == at:
        return
    moved, wall = wall_at(landed, zone), wall_at(at, zone)
    gap = "" if moved.time() == wall.time() else f" {_time(moved)}, as {_time(wall)} does not exist then"
    yield f"{_closed(calendar, verdict)}: moved to {moved:%A %Y-%m-%d}{gap}"


def _of_closed_days(
    since: datetime, at: datetime, trigger: Trigger, ground: Ground, calendar: OpenDays
) -> Iterator[str]:
    """The days between two due times on which one was closed, save those on which nobody works anyhow."""
    zone = calendar.zone or ground.zone
    first, last = wall_at(since, zone).date(), wall_at(at, zone).date()
    if (last - first).days <= 1 and calendar.is_open(first):
        return
    days: dict[date, DayVerdict] = {}
    for passed in islice(trigger.fires_between(since, at - _JUST, ground), _LOOKED_AT):
        day = wall_at(passed, zone).date()
        if day not in days:
            days[day] = calendar.why(day)
            if sum(_is_told(each) for each in days.values()) > TOLD:
                break
    closed = [f"{each.day} ({each.reason})" for each in days.values() if _is_told(each)]
    if closed:
        yield f"{calendar.name} was closed on {_listed(closed)}"


def _is_told(verdict: DayVerdict) -> bool:
    return not verdict.is_open and verdict.cause is not Cause.DAY_OFF


def _closed(calendar: OpenDays, verdict: DayVerdict) -> str:
    return f"{calendar.name} is closed on {verdict.day} ({verdict.reason})"


# Words


def _time(wall: datetime) -> str:
    return f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"


def _listed(texts: Iterable[str]) -> str:
    """a; a and b; a, b and c; a, b, c and more."""
    words = [*texts]
    if len(words) > TOLD:
        words = [*words[:TOLD], "more"]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
