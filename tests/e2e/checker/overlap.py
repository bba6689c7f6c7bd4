"""S7: runs of a schedule that forbids it never run at once, by the log and by the journals; nothing older than the window is caught up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tests.e2e.checker.history import Event, Execution, Finding, History, Key, Run
from tests.e2e.checker.oracle import Life, Rule
from tests.e2e.checker.runs import run_events, verb

ENDS = frozenset({"succeeded", "dead", "cancelled"})


@dataclass(frozen=True, slots=True)
class Interval:
    """By positions in the log: from the run's first start to its end; None where there is no end."""

    run: Run
    began: int
    ended: int | None


def judge_overlap(history: History, lives: Sequence[Life]) -> Iterator[Finding]:
    told = run_events(history.stored.events)
    running = _running(history, told)
    missed = _missed(history)
    for life in lives:
        yield from _one_at_a_time(life, running[life.key], told)
        yield from _window(life, missed[life.key])
    yield from _executed_one_at_a_time(history, lives, told)


def _running(history: History, told: Mapping[Key, Sequence[Event]]) -> defaultdict[Key, list[Interval]]:
    """Of each schedule, in the order of their starts. A backfill's wait as well, whatever the policy says."""
    found: defaultdict[Key, list[Interval]] = defaultdict(list)
    for run in history.stored.runs.values():
        events = told.get(run.key, ())
        began = next((event.position for event in events if verb(event) == "started"), None)
        if run.schedule is None or began is None:
            continue
        ended = next((event.position for event in events if verb(event) in ENDS), None)
        found[run.tenant, run.schedule].append(Interval(run, began, ended))
    for intervals in found.values():
        intervals.sort(key=lambda each: each.began)
    return found


def _missed(history: History) -> defaultdict[Key, list[Event]]:
    found: defaultdict[Key, list[Event]] = defaultdict(list)
    for event in history.stored.events:
        if event.type == "run.missed":
            found[event.key].append(event)
    return found


def _one_at_a_time(life: Life, intervals: Sequence[Interval], told: Mapping[Key, Sequence[Event]]) -> Iterator[Finding]:
    """The rule that counts is the one under which the later one was made."""
    last: Interval | None = None
    for each in intervals:
        rule = life.rule_at(told[each.run.key][0].position)
        if last is not None and rule is not None and _forbids(rule) and (last.ended is None or last.ended > each.began):
            yield Finding("S7", str(each.run.id), f"runs beside {last.run.id}, where overlap is {_overlap(rule)}")
        if last is None or (last.ended is not None and (each.ended is None or each.ended > last.ended)):
            last = each


def _executed_one_at_a_time(
    history: History, lives: Sequence[Life], told: Mapping[Key, Sequence[Event]]
) -> Iterator[Finding]:
    """Of the workers that nobody gave up: the word of the others does not count, whatever they still do."""
    rules = {life.key: life for life in lives}
    done: defaultdict[Key, list[Execution]] = defaultdict(list)
    runs = {run.id: run for run in history.stored.runs.values() if run.schedule is not None}
    for each in history.executions:
        run = runs.get(each.run)
        if run is not None and run.schedule is not None and each.ended and _counted(each, run, history, told):
            done[run.tenant, run.schedule].append(each)
    for key, executions in done.items():
        for before, after in pairwise(sorted(executions, key=lambda each: each.began)):
            rule = rules[key].rule_at(told[key[0], after.run][0].position)
            if rule and _forbids(rule) and before.run != after.run and before.ended and after.began < before.ended:
                yield Finding("S7", str(after.run), f"was carried out beside {before.run}: {_overlap(rule)}")


def _counted(execution: Execution, run: Run, history: History, told: Mapping[Key, Sequence[Event]]) -> bool:
    """It is the word of this worker that ended the attempt."""
    for event in told.get(run.key, ()):
        if event.attempt == execution.attempt and verb(event) in ("succeeded", "failed") and event.worker:
            worker = history.stored.workers.get((run.tenant, event.worker))
            outcome = {each.number: each.outcome for each in run.attempts}.get(execution.attempt, "SUCCEEDED")
            return worker is not None and worker.name == execution.worker and outcome in ("SUCCEEDED", "FAILED")
    return False


def _overlap(rule: Rule) -> str:
    return str(rule.definition.get("overlap") or "ALLOW")


def _forbids(rule: Rule) -> bool:
    return _overlap(rule) != "ALLOW"


def _window(life: Life, missed: Sequence[Event]) -> Iterator[Finding]:
    """FIRE_ALL fires what was due within the window before the decision, and no more; a miss tells when that was."""
    for event in missed:
        rule = life.rule_deciding(event)
        if rule is None or event.data["rule"] != "FIRE_ALL":
            continue
        first, last = (datetime.fromisoformat(event.data[name]) for name in ("first", "last"))
        window = _catch_up_window(rule)
        opened = event.at - window if window is not None else first
        if last >= opened:
            yield Finding(
                "S7", str(life.key[1]), f"{last.isoformat()} was missed, and is inside the window of {window}"
            )
        for run in life.runs:
            if run.cause == "SCHEDULE" and last < run.scheduled_for < opened and run.created_at >= event.at:
                yield Finding("S7", str(run.id), f"{run.scheduled_for.isoformat()} was caught up, beyond the {window}")


def _catch_up_window(rule: Rule) -> timedelta | None:
    seconds = rule.definition["misfire"].get("catchupWindowSec")
    return None if seconds is None else timedelta(seconds=seconds)
