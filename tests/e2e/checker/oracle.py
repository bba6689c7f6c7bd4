"""When a schedule was due, worked out anew: cronsim for CRON, plain arithmetic for the others.

A schedule's life is a row of rules, one per revision, as its events tell it. A rule has the due times of its own
definition from the moment it came into force until the moment the next one did, both included: a change settles what
is due already, and no due time lies before the creation, the last change of the trigger or the last enabling
(a ONE_SHOT's may: it is judged when a rule that is in force reaches it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim
from tests.e2e.checker.history import Event, Key, Run

_SECOND = timedelta(seconds=1)
CLOCKED = frozenset({"CRON", "FIXED_RATE", "ONE_SHOT"})
"""Triggers whose due times a clock tells. The others' follow from ends of runs and from messages."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One revision. `number` counts from 1; `definition` is the contract's JSON of a schedule."""

    number: int
    event: Event
    enabled: bool
    definition: Mapping[str, Any]  # Any: JSON
    created: datetime

    @property
    def at(self) -> datetime:
        return self.event.at

    @property
    def policy(self) -> str:
        return str(self.definition["misfire"]["policy"])

    @property
    def trigger(self) -> str:
        return str(self.definition["trigger"]["type"])

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.definition["misfire"]["graceSec"])

    @property
    def max_runs(self) -> int | None:
        limit: int | None = self.definition["maxRuns"]
        return limit

    def due_between(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Its due times in [low, high], `startAt`, `endAt` and the trigger alone considered."""
        trigger = self.definition["trigger"]
        if self.trigger not in CLOCKED:
            return
        start, end = _instant(self.definition["startAt"]), _instant(self.definition["endAt"])
        if trigger["type"] == "ONE_SHOT":
            found = _one_shot(trigger, self.definition["tz"], high)
        else:
            low = max(low, start) if start else low
            found = self._repeated(trigger, start, low, high)
        for due in found:
            if (start is None or due >= start) and (end is None or due < end):
                yield due

    def names(self, due: datetime) -> bool:
        """Whether `due` is one of its due times at all, from when it came into force on."""
        return due in self.due_between(max(self.at, due), due)

    def _repeated(
        self, trigger: Mapping[str, Any], start: datetime | None, low: datetime, high: datetime
    ) -> Iterator[datetime]:
        if trigger["type"] == "CRON":
            return _cron(trigger["cron"], self.definition["tz"], low, high)
        if trigger["type"] == "FIXED_RATE":
            anchor = _instant(trigger["anchorAt"]) or start or self.created
            return _fixed_rate(anchor, timedelta(seconds=trigger["everySec"]), low, high)
        raise ValueError(f"no oracle for a {trigger['type']} trigger")


@dataclass(frozen=True)
class Life:
    """One schedule from its creation to `until`, the moment of the reading."""

    key: Key
    rules: Sequence[Rule]
    until: datetime
    runs: Sequence[Run] = field(default=())
    """Those of its due times."""

    @property
    def is_clocked(self) -> bool:
        """Whether a clock tells all its due times."""
        return all(rule.trigger in CLOCKED for rule in self.rules)

    @cached_property
    def due(self) -> Sequence[datetime]:
        """Each due time once, in order."""
        return sorted({due for rule, end in self.reigns() for due in self._due_under(rule, end)})

    def rule_at(self, position: int) -> Rule | None:
        """The one in force at that position of the log."""
        return next((rule for rule in reversed(self.rules) if rule.event.position <= position), None)

    def rule_deciding(self, event: Event) -> Rule | None:
        """The one under which it was decided: a change settles what is due in its own transaction, by the rule before."""
        return next(
            (
                rule
                for rule in reversed(self.rules)
                if rule.event.position < event.position and (rule.event.tx != event.tx or rule.number == 1)
            ),
            None,
        )

    def successor(self, rule: Rule) -> Rule | None:
        return next((each for each in self.rules if each.number == rule.number + 1), None)

    def is_within_limit(self, rule: Rule, due: datetime) -> bool:
        if rule.max_runs is None:
            return True
        made = (run for run in self.runs if run.cause == "SCHEDULE" and run.state != "SKIPPED")
        return sum(run.scheduled_for < due for run in made) < rule.max_runs

    def is_catch_up(self, run: Run) -> bool:
        """Only FIRE_ALL fires what is later than the grace, and always by catching up."""
        return any(rule.policy == "FIRE_ALL" and run.lateness > rule.grace for rule in self.rules)

    def reigns(self) -> Iterator[tuple[Rule, datetime]]:
        """Each rule that is enabled, and until when it was in force."""
        ends = [rule.at for rule in self.rules[1:]] + [self.until]
        return ((rule, end) for rule, end in zip(self.rules, ends, strict=True) if rule.enabled)

    def _due_under(self, rule: Rule, end: datetime) -> Iterator[datetime]:
        """What a full `maxRuns` cuts off is no due time."""
        for due in rule.due_between(rule.at, end):
            if not self.is_within_limit(rule, due):
                return
            yield due


def read_lives(events: Iterable[Event], runs: Iterable[Run], until: datetime) -> list[Life]:
    """Every schedule that the log knows, deleted ones included."""
    told: dict[Key, list[Event]] = defaultdict(list)
    for event in events:
        if event.type.startswith("schedule."):
            told[event.key].append(event)
    made: dict[Key, list[Run]] = defaultdict(list)
    for run in runs:
        if run.schedule is not None and run.is_of_a_due_time:
            made[run.tenant, run.schedule].append(run)
    return [Life(key, _rules(own), until, _in_order(made[key])) for key, own in told.items()]


def _rules(events: Sequence[Event]) -> list[Rule]:
    rules: list[Rule] = []
    for event in sorted(events, key=lambda each: each.seq):
        if event.type in ("schedule.created", "schedule.updated"):
            definition, enabled = event.data, bool(event.data["enabled"])
        else:
            definition, enabled = rules[-1].definition, event.type == "schedule.enabled"
        rules.append(Rule(len(rules) + 1, event, enabled, definition, rules[0].created if rules else event.at))
    return rules


def _in_order(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.scheduled_for)


def _cron(expression: str, tz: str, low: datetime, high: datetime) -> Iterator[datetime]:
    """cronsim answers what is strictly later than a whole second."""
    first = low if low.microsecond == 0 else low.replace(microsecond=0) + _SECOND
    zone = UTC if tz == "UTC" else ZoneInfo(tz)
    for wall in CronSim(expression, (first - _SECOND).astimezone(zone)):
        due = wall.astimezone(UTC)
        if due > high:
            return
        yield due


def _fixed_rate(anchor: datetime, every: timedelta, low: datetime, high: datetime) -> Iterator[datetime]:
    number = max(0, -((anchor - low) // every))  # the first that is not before `low`
    while (due := anchor + number * every) <= high:
        yield due
        number += 1


def _one_shot(trigger: Mapping[str, Any], tz: str, high: datetime) -> Iterator[datetime]:
    moment = datetime.fromisoformat(trigger["startAt"])
    due = (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(tz))).astimezone(UTC)
    if due <= high:
        yield due


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
