"""S1 of FIXED_DELAY, judged from its own log: each due time counts from the end of the run before, and there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from tests.e2e.checker.faults import Span, excuses, is_excused
from tests.e2e.checker.history import Finding, History, Run
from tests.e2e.checker.oracle import Life, Rule

FIXED_DELAY = "FIXED_DELAY"
ROUNDING = timedelta(milliseconds=1)


def judge_delays(history: History, lives: Sequence[Life]) -> Iterator[Finding]:
    spans = excuses(history.faults, history.expected.recovery)
    made = {event.key: event for event in history.stored.events if event.seq == 1}
    for life in lives:
        for rule, end in life.reigns():
            if rule.trigger == FIXED_DELAY:
                runs = [run for run in life.runs if life.rule_at(made[run.key].position) is rule]
                yield from _not_before_the_end(rule, runs)
                yield from _goes_on(life, rule, end, runs, history, spans)


def _not_before_the_end(rule: Rule, runs: Sequence[Run]) -> Iterator[Finding]:
    for before, after in pairwise(runs):
        if before.finished_at is None or after.due_at < before.finished_at + _delay(rule) - ROUNDING:
            ended = before.finished_at.isoformat() if before.finished_at else "never"
            yield Finding("S1", str(after.id), f"due {after.due_at.isoformat()}; {before.id} before it ended {ended}")


def _goes_on(
    life: Life, rule: Rule, end: datetime, runs: Sequence[Run], history: History, spans: Sequence[Span]
) -> Iterator[Finding]:
    """After the last run of a rule there was no time for another, or a fault is to blame."""
    last = runs[-1] if runs else None
    if last is not None and last.finished_at is None:
        return  # R5 tells
    owed = last.finished_at + _delay(rule) if last and last.finished_at else rule.at
    missed = [miss.last + _delay(rule) for miss in history.stored.misses if (miss.tenant, miss.schedule) == life.key]
    owed = max([owed, *(each for each in missed if each <= end)])
    if end - owed > history.expected.late and not is_excused(spans, owed, end):
        yield Finding("S1", str(life.key[1]), f"nothing from {owed.isoformat()}, when it was due, to {end.isoformat()}")


def _delay(rule: Rule) -> timedelta:
    return timedelta(seconds=rule.definition["trigger"]["delaySec"])
