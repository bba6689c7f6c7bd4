"""The numbers of one test run, for its report."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tests.e2e.checker.failover import Takeover, takeovers
from tests.e2e.checker.faults import are_touched, excuses, is_alone
from tests.e2e.checker.firing import owed_from
from tests.e2e.checker.history import Fault, History
from tests.e2e.checker.intake import waits
from tests.e2e.checker.oracle import Life

BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Upper bounds of the classes of lateness, in seconds."""

LONG = timedelta(seconds=5)
LATE = timedelta(seconds=0.5)
RECENT = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a number of durations, in seconds."""

    count: int
    p50: float
    p99: float
    max: float
    histogram: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds. `gap` is the longest stretch without a fire that touches the fault or the time after it.

    `after` is how long after its end firing was still late (0.5 s). Both are looked for until the next fault begins;
    `alone` says that no other went on meanwhile, or shortly before.
    """

    kind: str
    target: str
    began: datetime
    seconds: float
    gap: float
    after: float
    alone: bool


@dataclass(frozen=True, slots=True)
class Figures:
    due_times: int
    matched: int
    missed: Mapping[str, int]
    extra: int
    runs: Mapping[str, int]
    attempts_ended: Mapping[str, int]
    rejected_reports: Mapping[str, int]
    executions: int
    executed_again: int
    given_up_after_their_end: Sequence[str]
    """Attempts given up as LOST or TIMED_OUT long after their handler had come to its end: safe, but wasteful."""
    events: int
    terms: int
    quiet: Spread
    """How late due times fired that no fault touched, catch-ups left out; `in_faults` the others."""
    in_faults: Spread
    intake: Spread
    """From a worker's STARTED on the bus until it is an event, outside faults; those at the edge do not count as such."""
    recoveries: Sequence[Recovery]
    takeovers: Sequence[Takeover]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def figures(history: History, lives: Sequence[Life]) -> Figures:
    lives = [life for life in lives if life.is_clocked]
    stored, until = history.stored, history.expected.until
    fired = sorted(_fired(lives), key=lambda each: each[1])
    quiet, troubled = _lateness(fired, history)
    calls = Counter((each.run, each.attempt) for each in history.executions)
    due = [(life, at) for life in lives for at in life.due if at <= until]
    answered = {(life.key, run.scheduled_for) for life in lives for run in life.runs}
    asked = {(life.key, at) for life in lives for at in life.due}
    return Figures(
        due_times=len(due),
        matched=sum((life.key, at) in answered for life, at in due),
        missed={rule: _missed(history, rule) for rule in {miss.rule for miss in stored.misses}},
        extra=len(answered - asked),
        runs=dict(Counter(run.state for run in stored.runs.values())),
        attempts_ended=dict(Counter(ended.outcome for run in stored.runs.values() for ended in run.attempts)),
        rejected_reports=dict(Counter(report.reason for report in stored.rejected)),
        executions=len(history.executions),
        executed_again=sum(count - 1 for count in calls.values()),
        given_up_after_their_end=list(_given_up_late(history)),
        events=len(stored.events),
        terms=len(stored.terms.get(history.expected.lease, ())),
        quiet=spread(quiet),
        in_faults=spread(troubled),
        intake=spread(_waits_outside_faults(history)),
        recoveries=_recoveries(history, fired),
        takeovers=takeovers(history),
    )


def spread(seconds: Sequence[float]) -> Spread:
    ordered = sorted(seconds)
    histogram: Counter[str] = Counter()
    for each in ordered:
        histogram[next((f"<= {bound:g} s" for bound in BOUNDS if each <= bound), f"> {BOUNDS[-1]:g} s")] += 1
    return Spread(
        len(ordered), _quantile(ordered, 0.5), _quantile(ordered, 0.99), _quantile(ordered, 1), dict(histogram)
    )


def _fired(lives: Sequence[Life]) -> Iterator[tuple[datetime, datetime]]:
    """When it was owed and when it was fired, of each that fired by itself."""
    for life in lives:
        for run in life.runs:
            owed = owed_from(run, life)
            if owed is not None and run.fired_at is not None:
                yield owed, run.fired_at


def _lateness(fired: Sequence[tuple[datetime, datetime]], history: History) -> tuple[list[float], list[float]]:
    spans = excuses(history.faults, history.expected.recovery)
    quiet: list[float] = []
    troubled: list[float] = []
    for owed, at in fired:
        (troubled if are_touched(spans, owed, at) else quiet).append((at - owed).total_seconds())
    return quiet, troubled


def _waits_outside_faults(history: History) -> list[float]:
    spans = excuses(history.faults, history.expected.recovery)
    return [
        (stored - heard).total_seconds() for _, heard, stored in waits(history) if not are_touched(spans, heard, stored)
    ]


def _given_up_late(history: History) -> Iterator[str]:
    ends = {(each.run, each.attempt): each.ended for each in history.executions if each.ended}
    for run in history.stored.runs.values():
        for given_up in run.attempts:
            end = ends.get((run.id, given_up.number))
            if given_up.outcome in ("LOST", "TIMED_OUT") and end and given_up.finished_at - end > LONG:
                after = (given_up.finished_at - end).total_seconds()
                yield f"{run.id} attempt {given_up.number}: {given_up.outcome} {after:.1f} s after its end"


def _missed(history: History, rule: str) -> int:
    return sum(miss.count for miss in history.stored.misses if miss.rule == rule)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4) if ordered else 0.0


def _recoveries(history: History, fired: Sequence[tuple[datetime, datetime]]) -> list[Recovery]:
    """`fired` in the order of firing."""
    moments = [at for _, at in fired]
    late = [(owed, at) for owed, at in fired if at - owed > LATE]
    return [_recovery(fault, history, moments, late) for fault in history.faults]


def _recovery(
    fault: Fault, history: History, moments: Sequence[datetime], late: Sequence[tuple[datetime, datetime]]
) -> Recovery:
    end = _until_the_next(fault, history)
    shown = [at for owed, at in late if owed <= end and fault.began <= at <= end]
    after = (max(shown) - fault.ended).total_seconds() if shown else 0.0
    return Recovery(
        fault.kind,
        fault.target,
        fault.began,
        round((fault.ended - fault.began).total_seconds(), 3),
        round(_longest_gap(moments, fault.began, end), 3),
        round(max(after, 0.0), 3),
        is_alone(fault, history.faults, fault.began - RECENT, fault.ended),
    )


def _until_the_next(fault: Fault, history: History) -> datetime:
    """When it may show no more, or another begins to show."""
    following = (each.began for each in history.faults if each.began > fault.ended and not each.at_edge)
    return min([fault.ended + history.expected.recovery, *following])


def _longest_gap(moments: Sequence[datetime], began: datetime, ended: datetime) -> float:
    """Between two fires, one of which at least lies inside, or that lie around it."""
    first = max(0, bisect_left(moments, began) - 1)
    last = min(len(moments), bisect_right(moments, ended) + 1)
    near = moments[first:last]
    return max(((b - a).total_seconds() for a, b in pairwise(near)), default=0.0)


def by_kind(recoveries: Sequence[Recovery]) -> dict[str, list[Recovery]]:
    found: dict[str, list[Recovery]] = defaultdict(list)
    for each in recoveries:
        found[each.kind].append(each)
    return dict(sorted(found.items()))
