"""What a trigger says of an instant, and what the change of a clock makes of that."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from rota.domain.explaining.clock_change import as_before, length_of, not_there, read_twice, skips, turn_at
from rota.domain.explaining.explanation import Outcome, Rule, Step
from rota.domain.explaining.mismatch import neighbours, said_by, why_not
from rota.domain.explaining.words import few, instant, length, local, reading, time_of
from rota.domain.notes import LocalRule, local_rule_of
from rota.domain.time.zone import Gap, Overlap, Turn, wall_at
from rota.domain.trigger import FixedRate, Ground, OneShot, Trigger

_JUST = timedelta(microseconds=1)
_MOST_SKIPPED = 7


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
    rule = local_rule_of(trigger, ground)
    if rule is None:
        return (Step(Rule.TRIGGER, Outcome.STOP, "the schedule has no calendar to count the open days of"),)
    return _Local(trigger, rule, ground, at).steps()


def _rate(trigger: FixedRate, ground: Ground, at: datetime) -> Step:
    anchor = trigger.anchor_at or ground.anchor
    every = length(trigger.every)
    if at < anchor:
        return Step(Rule.TRIGGER, Outcome.STOP, f"every {every} from {instant(anchor)}, which is later")
    n, rest = divmod(at - anchor, trigger.every)
    if rest:
        said = f"{length(rest)} after n = {n}; {neighbours(trigger, ground, at)}"
        return Step(Rule.TRIGGER, Outcome.STOP, f"not among {instant(anchor)} + n × {every}: {said}")
    return Step(Rule.TRIGGER, Outcome.PASS, f"{instant(anchor)} + {n} × {every}")


def _once(trigger: OneShot, ground: Ground, at: datetime) -> tuple[Step, ...]:
    is_local = trigger.start_at.tzinfo is None
    said = f"is due once, at {reading(trigger.start_at) if is_local else instant(trigger.start_at)}"
    if not names(trigger, ground, at):
        return (Step(Rule.TRIGGER, Outcome.STOP, said),)
    first = Step(Rule.TRIGGER, Outcome.PASS, said)
    if not is_local:
        return (first,)
    zone, turn = ground.zone, turn_at(at, ground.zone)
    wall = wall_at(at, zone)
    if turn is None or wall == trigger.start_at:
        return first, _once_or_twice(turn, at, zone, Overlap.FIRST)
    moved = f"{not_there(reading(trigger.start_at), turn, zone)}; due is the first instant after the gap"
    return first, Step(Rule.CLOCK_CHANGE, Outcome.MOVE, moved)


class _Local:
    """A trigger that names local times, asked of one instant."""

    def __init__(self, trigger: Trigger, rule: LocalRule, ground: Ground, at: datetime) -> None:
        self._trigger, self._rule, self._ground, self._at = trigger, rule, ground, at
        self._zone = ground.zone
        self._wall = wall_at(at, ground.zone)
        self._turn = turn_at(at, ground.zone)
        self._is_due = names(trigger, ground, at)
        self._said = said_by(trigger)

    def steps(self) -> tuple[Step, ...]:
        turn, zone, at = self._turn, self._zone, self._at
        if turn is not None and skips(turn) and (skipped := self._skipped(turn)):
            return self._of_gap(turn, skipped)
        matches = Step(Rule.TRIGGER, Outcome.PASS, f"{self._said} matches {local(at, zone)}")
        if self._is_due:
            return matches, _once_or_twice(turn, at, zone, self._rule.change.overlap)
        if turn is not None and not skips(turn) and self._names(self._wall):
            other = at + length_of(turn) if at < turn.at else at - length_of(turn)
            how = f"overlap policy {self._rule.change.overlap}: due is {instant(other)}"
            return matches, Step(Rule.CLOCK_CHANGE, Outcome.STOP, f"{read_twice(at, turn, zone)}; {how}")
        why = why_not(self._trigger, self._ground, self._wall)
        said = f"{self._said} does not match {local(at, zone)}: {why}"
        return (Step(Rule.TRIGGER, Outcome.STOP, f"{said}; {neighbours(self._trigger, self._ground, at)}"),)

    def _skipped(self, turn: Turn) -> list[datetime]:
        """The local times that the clock skips and that this instant is, or might have been, due for."""
        if self._is_due and self._names(self._wall):
            return []
        shifted = as_before(self._at, turn)
        if self._rule.change.gap is Gap.SHIFT and self._names(shifted):
            return [shifted]
        return [*islice(self._rule.walls(turn.was, turn.reads), _MOST_SKIPPED)] if self._at == turn.at else []

    def _of_gap(self, turn: Turn, skipped: list[datetime]) -> tuple[Step, Step]:
        walls, gap = few(map(reading, skipped)), self._rule.change.gap
        matches = Step(Rule.TRIGGER, Outcome.PASS, f"{self._said} matches {walls} local")
        gone = not_there(walls, turn, self._zone)
        if self._is_due:
            how = f"gap policy {gap} moves it to {time_of(self._wall)}"
            return matches, Step(Rule.CLOCK_CHANGE, Outcome.MOVE, f"{gone}; {how}")
        how = "it is no due time" if gap is Gap.SKIP else f"{length(length_of(turn))} later"
        return matches, Step(Rule.CLOCK_CHANGE, Outcome.STOP, f"{gone}; gap policy {gap}: {how}")

    def _names(self, wall: datetime) -> bool:
        return next(iter(self._rule.walls(wall, wall + _JUST)), None) is not None


def _once_or_twice(turn: Turn | None, at: datetime, zone: ZoneInfo, overlap: Overlap) -> Step:
    if turn is None or skips(turn):
        return Step(Rule.CLOCK_CHANGE, Outcome.PASS, f"{reading(wall_at(at, zone))} is read once in {zone.key}")
    return Step(Rule.CLOCK_CHANGE, Outcome.PASS, f"{read_twice(at, turn, zone)}; overlap policy {overlap}")
