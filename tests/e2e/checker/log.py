"""E1, E3 and E4: the event log is whole, in commit order, without a gap for its readers, and as the state says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.e2e.checker.history import Event, Finding, History, Key, Seen, Stored
from tests.e2e.checker.oracle import Life


def judge_log(history: History, lives: Sequence[Life]) -> Iterator[Finding]:
    stored = history.stored
    yield from _sequences(stored)
    yield from _positions(stored.events)
    if history.witness:
        yield from _seen_by_a_reader(stored.events, history.witness.seen)
    for life in lives:
        yield from _revisions(life, stored)
    for key in stored.schedules.keys() - {life.key for life in lives}:
        yield Finding("E4", str(key[1]), "a schedule without a single event")


def _sequences(stored: Stored) -> Iterator[Finding]:
    """Those of runs and schedules also end where the state says that they do."""
    own: dict[Key, list[Event]] = defaultdict(list)
    for event in stored.events:
        own[event.key].append(event)
    for key, events in own.items():
        seqs = [event.seq for event in events]
        if seqs != list(range(1, len(seqs) + 1)):
            yield Finding("E1", str(key[1]), f"in order of position its sequence is {seqs}")
    ends = {key: run.seq for key, run in stored.runs.items()}
    ends |= {key: schedule.seq for key, schedule in stored.schedules.items()}
    for key, seq in ends.items():
        if len(own[key]) != seq:
            yield Finding("E1", str(key[1]), f"{len(own[key])} events, and the state is at {seq}")


def _positions(events: Sequence[Event]) -> Iterator[Finding]:
    """`events` are in order of position."""
    for before, after in pairwise(events):
        if after.position == before.position:
            yield Finding("E1", str(after.id), f"position {after.position} is taken twice")
        if before.committed and after.committed and after.committed < before.committed:
            yield Finding("E1", str(after.id), f"position {after.position} was committed before {before.position}")


def _seen_by_a_reader(events: Sequence[Event], seen: Sequence[Seen]) -> Iterator[Finding]:
    """What follows the log by its positions sees each event once, in order, and passes none by on its way."""
    for before, after in pairwise(seen):
        if after.position <= before.position:
            yield Finding("E3", str(after.id), f"a reader saw position {after.position} after {before.position}")
    known = {event.id: event.position for event in events}
    for each in seen:
        if known.get(each.id) != each.position:
            yield Finding("E3", str(each.id), f"a reader saw it at {each.position}; it is at {known.get(each.id)}")
    read = {each.id for each in seen}
    reached = max((each.position for each in seen), default=0)
    for event in events:
        if event.position <= reached and event.id not in read:
            yield Finding("E3", str(event.id), f"a reader passed by {event.type} at position {event.position}")


def _revisions(life: Life, stored: Stored) -> Iterator[Finding]:
    schedule, kept = stored.schedules.get(life.key), stored.revisions.get(life.key, {})
    last = life.rules[-1]
    if schedule is None:
        yield Finding("E4", str(life.key[1]), "events of a schedule that does not exist")
    elif (schedule.version, schedule.enabled) != (last.number, last.enabled):
        yield Finding("E4", str(life.key[1]), f"stored as revision {schedule.version}, its events end at {last.number}")
    told = {rule.number: (rule.at, rule.enabled) for rule in life.rules}
    if told != {number: (revision.at, revision.enabled) for number, revision in kept.items()}:
        yield Finding("E4", str(life.key[1]), f"{len(kept)} revisions are kept, its events tell of {len(told)}")
