"""The numbers of one test run, for its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tests.e2e.checker.faults import excuses
from tests.e2e.checker.firing import owed_from
from tests.e2e.checker.history import Fault, History, Run
from tests.e2e.checker.oracle import Life

BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Upper bounds of the classes of lateness, in seconds."""

LONG = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Lateness:
    """Of the due times that fired by themselves, catch-ups left out. Seconds."""

    count: int
    p50: float
    p99: float
    max: float
    histogram: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds. `gap` is the longest stretch without a fire that touches the fault or the time after it.

    `after` is how long after its end firing was still late (0.5 s); another fault in that time counts too.
    """

    kind: str
    target: str
    began: datetime
    seconds: float
    gap: float
    after: float


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
    quiet: Lateness
    in_faults: Lateness
    recoveries: Sequence[Recovery]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def figures(history: History, lives: Sequence[Life]) -> Figures:
    stored, until = history.stored, history.expected.until
    spans = excuses(history.faults, history.expected.recovery)
    quiet: list[float] = []
    troubled: list[float] = []
    for owed, run in _fired(lives):
        fired = run.fired_at or owed
        touched = any(span.touches(owed, fired) for span in spans)
        (troubled if touched else quiet).append((fired - owed).total_seconds())
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
        quiet=_lateness(quiet),
        in_faults=_lateness(troubled),
        recoveries=[_recovery(fault, history, lives) for fault in history.faults],
    )


def _fired(lives: Sequence[Life]) -> Iterator[tuple[datetime, Run]]:
    for life in lives:
        for run in life.runs:
            owed = owed_from(run, life)
            if owed is not None and run.fired_at is not None:
                yield owed, run


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


def _lateness(seconds: list[float]) -> Lateness:
    seconds.sort()
    histogram: Counter[str] = Counter()
    for each in seconds:
        histogram[next((f"<= {bound:g} s" for bound in BOUNDS if each <= bound), f"> {BOUNDS[-1]:g} s")] += 1
    return Lateness(
        len(seconds), _quantile(seconds, 0.5), _quantile(seconds, 0.99), _quantile(seconds, 1), dict(histogram)
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4) if ordered else 0.0


def _recovery(fault: Fault, history: History, lives: Sequence[Life]) -> Recovery:
    end = fault.ended + history.expected.recovery
    late = [
        run.fired_at
        for owed, run in _fired(lives)
        if run.fired_at is not None
        and run.fired_at - owed > timedelta(seconds=0.5)
        and owed <= end
        and run.fired_at >= fault.began
    ]
    after = (max(late) - fault.ended).total_seconds() if late else 0.0
    return Recovery(
        fault.kind,
        fault.target,
        fault.began,
        round((fault.ended - fault.began).total_seconds(), 3),
        round(_longest_gap(fault, end, lives), 3),
        round(max(after, 0.0), 3),
    )


def _longest_gap(fault: Fault, end: datetime, lives: Sequence[Life]) -> float:
    fires = sorted(run.fired_at for _, run in _fired(lives) if run.fired_at is not None)
    touching = [
        (after - before).total_seconds() for before, after in pairwise(fires) if before <= end and after >= fault.began
    ]
    return max(touching, default=0.0)
