"""LIMIT: never more runs of a job at once, of one key at once, or in a time, than the job allows.

Judged from the log at the end of each transaction: what stands in one happened together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tests.e2e.checker.history import Event, Finding, History, Job, Key, Rate, Run
from tests.e2e.checker.runs import run_events, verb

BREACH = "LIMIT"
ENTERS, LEAVES = frozenset({"queued"}), frozenset({"retrying", "succeeded", "dead", "cancelled"})
"""A run is on the bus or running from the one to the other; a failure is always followed by what comes of it."""
SLACK = 1.0
"""Starts that the reading of two clocks may make too many."""


@dataclass(frozen=True, slots=True)
class Lane:
    """All events of the runs that share a limit, in the order of the log."""

    name: str
    events: Sequence[Event]


def judge_limits(history: History) -> Iterator[Finding]:
    told = run_events(history.stored.events)
    for key, job in history.stored.jobs.items():
        runs = [run for run in history.stored.runs.values() if (run.tenant, run.job) == key]
        if job.max_concurrent is not None:
            yield from _at_once(_lane(job.name, runs, told), job.max_concurrent)
        if job.concurrency_key is not None:
            for lane in _by_key(job, job.concurrency_key, runs, told):
                yield from _at_once(lane, 1)
        if job.rate is not None:
            yield from _in_time(job, job.rate, runs, told)


def _lane(name: str, runs: Sequence[Run], told: Mapping[Key, Sequence[Event]]) -> Lane:
    events = [event for run in runs for event in told.get(run.key, ())]
    return Lane(name, sorted(events, key=lambda event: event.position))


def _by_key(job: Job, pointer: str, runs: Sequence[Run], told: Mapping[Key, Sequence[Event]]) -> Iterator[Lane]:
    """Without those that have no value there: they have no limit."""
    same: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        value = _pointed_at(pointer, run.payload)
        if value is not None:
            same[repr(value)].append(run)
    for value, own in same.items():
        yield _lane(f"{job.name} {pointer} {value}", own, told)


def _pointed_at(pointer: str, value: object) -> object:
    for name in pointer.split("/")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _at_once(lane: Lane, most: int) -> Iterator[Finding]:
    """Only what comes in breaks a limit: what was there before it was set may stay."""
    going: set[Key] = set()
    for _, together in groupby(lane.events, key=lambda event: event.tx):
        before = set(going)
        for event in together:
            if verb(event) in ENTERS:
                going.add(event.key)
            elif verb(event) in LEAVES:
                going.discard(event.key)
        if len(going) > most and going - before:
            names = ", ".join(sorted(str(key[1]) for key in going))
            yield Finding(BREACH, lane.name, f"{len(going)} at once, not {most}: {names}")


def _in_time(job: Job, rate: Rate, runs: Sequence[Run], told: Mapping[Key, Sequence[Event]]) -> Iterator[Finding]:
    """A bucket that is full in the beginning; what was lost or handed back goes again without asking."""
    starts = sorted(event.at for run in runs for event in _starts(told.get(run.key, ())))
    left = float(rate.count)
    for before, at in zip([*starts[:1], *starts], starts, strict=False):
        left = min(float(rate.count), left + (at - before) / rate.per * rate.count) - 1
        if left < -SLACK:
            yield Finding(BREACH, job.name, f"at {at.isoformat()} more than {rate.count} starts in {rate.per}")


def _starts(events: Sequence[Event]) -> Iterator[Event]:
    """Those that had to wait for their turn: behind their creation, or a backoff."""
    before = ""
    for event in events:
        if verb(event) == "queued" and before in ("", "created", "retrying"):
            yield event
        before = verb(event)
