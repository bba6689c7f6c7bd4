"""What a trigger says of an instant, and what the change of a clock makes of that."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rota.domain.explaining.clock_change import Change, change_near
from rota.domain.explaining.explanation import Outcome, Rule, Step
from rota.domain.explaining.local_rule import LocalRule, local_rule
from rota.domain.explaining.mismatch import neighbours, why_not
from rota.domain.explaining.words import few, instant, length, local, reading, time_of
from rota.domain.time.zone import Gap, Overlap
from rota.domain.trigger import FixedRate, Ground, OneShot, Trigger

_JUST = timedelta(microseconds=1)


def names(trigger: Trigger, ground: Ground, at: datetime) -> bool:
    """Whether `at` is one of the trigger's instants."""
    return next(iter(trigger.fires_between(at - _JUST, at, ground)), None) == at


def asked(trigger: Trigger, ground: Ground, at: datetime) -> tuple[Step, ...]:
    """One step, or two where local times matter. The last one stops if `at` is none of the trigger's instants."""
    match trigger:
        case FixedRate():
            return (_rate(trigger, ground, at),)
        case OneShot():
            return _once(trigger, ground, at)
    rule = local_rule(trigger, ground)
    if rule is None:
        return (_step(Rule.TRIGGER, Outcome.STOP, "the schedule has no calendar to count the open days of"),)
    return _local(rule, trigger, ground, at)


def _step(rule: Rule, outcome: Outcome, detail: str) -> Step:
    return Step(rule, outcome, detail)


def _rate(trigger: FixedRate, ground: Ground, at: datetime) -> Step:
    anchor = trigger.anchor_at or ground.anchor
    every = length(trigger.every)
    if at < anchor:
        return _step(Rule.TRIGGER, Outcome.STOP, f"every {every} from {instant(anchor)}, which is later")
    n, rest = divmod(at - anchor, trigger.every)
    if rest:
        said = f"{length(rest)} after n = {n}; {neighbours(trigger, ground, at)}"
        return _step(Rule.TRIGGER, Outcome.STOP, f"not among {instant(anchor)} + n × {every}: {said}")
    return _step(Rule.TRIGGER, Outcome.PASS, f"{instant(anchor)} + {n} × {every}")


def _once(trigger: OneShot, ground: Ground, at: datetime) -> tuple[Step, ...]:
    due = trigger.next_fire(at - _JUST, ground) if names(trigger, ground, at) else None
    said = reading(trigger.start_at) if trigger.start_at.tzinfo is None else instant(trigger.start_at)
    if due is None:
        return (_step(Rule.TRIGGER, Outcome.STOP, f"is due once, at {said}"),)
    first = _step(Rule.TRIGGER, Outcome.PASS, f"is due once, at {said}")
    if trigger.start_at.tzinfo is not None:
        return (first,)
    wall = due.astimezone(ground.zone).replace(tzinfo=None)
    if wall == trigger.start_at:
        return first, _plain(change_near(due, ground.zone), due, ground.zone)
    moved = f"{said} does not exist in {ground.zone.key}; it is the first instant after the gap, {reading(wall)}"
    return first, _step(Rule.CLOCK_CHANGE, Outcome.MOVE, moved)


def _local(rule: LocalRule, trigger: Trigger, ground: Ground, at: datetime) -> tuple[Step, ...]:
    zone = ground.zone
    wall = at.astimezone(zone).replace(tzinfo=None)
    change = change_near(at, zone)
    is_due = names(trigger, ground, at)
    if change is not None and change.skips:
        skipped = _from_the_gap(rule, change, at, wall, zone, is_due=is_due)
        if skipped:
            return skipped
    if is_due:
        return (
            _step(Rule.TRIGGER, Outcome.PASS, f"{rule.said} matches {local(at, zone)}"),
            _plain(change, at, zone, rule.change.overlap),
        )
    if change is not None and not change.skips and rule.names(wall):
        return (
            _step(Rule.TRIGGER, Outcome.PASS, f"{rule.said} matches {local(at, zone)}"),
            _step(Rule.CLOCK_CHANGE, Outcome.STOP, f"{_twice(change, at, zone)}; {_other(rule, change, at)}"),
        )
    why = f"{rule.said} does not match {local(at, zone)}: {why_not(trigger, ground, wall)}"
    return (_step(Rule.TRIGGER, Outcome.STOP, f"{why}; {neighbours(trigger, ground, at)}"),)


def _from_the_gap(
    rule: LocalRule, change: Change, at: datetime, wall: datetime, zone: ZoneInfo, *, is_due: bool
) -> tuple[Step, ...]:
    """Nothing, unless `at` is due, or would be, for a local time that the clock skips."""
    gap = rule.change.gap
    if rule.names(wall) and is_due:
        return ()
    shifted = (at + change.before).replace(tzinfo=None)
    named = rule.some(change.first, change.end) if at == change.at else []
    if gap is Gap.SHIFT and rule.names(shifted):
        named = [reading(shifted)]
    if not named:
        return ()
    first = _step(Rule.TRIGGER, Outcome.PASS, f"{rule.said} matches {few(named)} local")
    gone = (
        f"{few(named)} does not exist in {zone.key}: there the clock goes from {time_of(change.first)}"
        f" to {time_of(change.end)}"
    )
    if is_due:
        how = f"gap policy {gap} moves it to {time_of(wall)}"
        return first, _step(Rule.CLOCK_CHANGE, Outcome.MOVE, f"{gone}; {how}")
    how = (
        "gap policy SKIP: it is no due time" if gap is Gap.SKIP else f"gap policy SHIFT: {length(change.length)} later"
    )
    return first, _step(Rule.CLOCK_CHANGE, Outcome.STOP, f"{gone}; {how}")


def _plain(change: Change | None, at: datetime, zone: ZoneInfo, overlap: Overlap = Overlap.FIRST) -> Step:
    if change is None or change.skips:
        wall = at.astimezone(zone).replace(tzinfo=None)
        return _step(Rule.CLOCK_CHANGE, Outcome.PASS, f"{reading(wall)} is read once in {zone.key}")
    return _step(Rule.CLOCK_CHANGE, Outcome.PASS, f"{_twice(change, at, zone)}; overlap policy {overlap}")


def _twice(change: Change, at: datetime, zone: ZoneInfo) -> str:
    which = "first" if at < change.at else "second"
    return f"{local(at, zone)} is read twice, and this is the {which} of the two"


def _other(rule: LocalRule, change: Change, at: datetime) -> str:
    other = at + change.length if at < change.at else at - change.length
    return f"overlap policy {rule.change.overlap}: due is {instant(other)}"
