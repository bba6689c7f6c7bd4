"""S1 to S5: every due time is one run or in one miss, on time, once, under one leader, by the rule in force."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from tests.e2e.checker.faults import excuses, is_excused
from tests.e2e.checker.history import Event, Finding, History, Key, Miss, Run, Stored
from tests.e2e.checker.oracle import Life, Rule

_DUE_TIME = ("tenant_id", "schedule_id", "scheduled_for")


def judge_firing(history: History, lives: Sequence[Life]) -> Iterator[Finding]:
    made = _creations(history.stored)
    misses = _by_schedule(history.stored.misses)
    for life in (each for each in lives if each.is_clocked):
        yield from _one_answer_each(life, misses[life.key], history)
        yield from _no_answer_without_a_question(life, misses[life.key], made)
    yield from _answers_to_nobody(history.stored, lives)
    yield from judge_times(history, lives, made)
    yield from judge_constraint(history.stored)
    if history.expected.elected:
        yield from judge_terms(history, lives)


# S1


def _one_answer_each(life: Life, misses: Sequence[Miss], history: History) -> Iterator[Finding]:
    answered = Counter(run.scheduled_for for run in life.runs)
    set_aside = _by_schedule(history.stored.open_catch_ups)[life.key]
    for due in life.due:
        covers = sum(miss.spans(due) for miss in misses)
        if answered[due] > 1:
            yield Finding("S1", _subject(life, due), f"{answered[due]} runs for one due time")
        if not answered[due] and covers > 1:
            yield Finding("S1", _subject(life, due), f"{covers} misses cover it")
        if not answered[due] and not covers and due <= history.expected.until:
            waiting = any(each.spans(due) for each in set_aside)
            yield Finding("S1", _subject(life, due), f"neither run nor miss{_ASIDE if waiting else ''}")
    for miss in misses:
        yield from _right_count(life, miss, answered)


_ASIDE = ": it was set aside for catching up and never made"


def _right_count(life: Life, miss: Miss, answered: Mapping[datetime, int]) -> Iterator[Finding]:
    covered = life.due[bisect_left(life.due, miss.first) : bisect_right(life.due, miss.last)]
    missed = sum(1 for due in covered if not answered[due])
    span = f"{miss.first.isoformat()} to {miss.last.isoformat()}"
    if missed != miss.count:
        yield Finding("S1", str(miss.schedule), f"a miss of {miss.count} from {span}, where {missed} have no run")
    if not covered or covered[0] != miss.first or covered[-1] != miss.last:
        yield Finding("S1", str(miss.schedule), f"a miss from {span} does not begin and end at due times")


def _no_answer_without_a_question(life: Life, misses: Sequence[Miss], made: Mapping[Key, Event]) -> Iterator[Finding]:
    due = set(life.due)
    for run in life.runs:
        event = made.get(run.key)
        if run.cause != "SCHEDULE" or event is None:
            continue
        if not any(_could_fire(life, rule, run, event) for rule in life.rules):
            invariant = "S5" if run.scheduled_for in due else "S1"
            yield Finding(invariant, _subject(life, run.scheduled_for), f"{_WRONG[invariant]}: run {run.id}")


_WRONG = {"S1": "a run, and no due time", "S5": "a run made under a rule that was not in force"}


def _could_fire(life: Life, rule: Rule, run: Run, made: Event) -> bool:
    """A change settles what is due in its own transaction, and a catch-up keeps the rule it was decided under."""
    due = run.scheduled_for
    if not rule.enabled or not rule.names(due) or not life.is_within_limit(rule, due):
        return False
    successor = life.successor(rule)
    replaced = successor is not None and successor.event.position < made.position and successor.event.tx != made.tx
    if replaced and not (life.is_catch_up(run) and due in life.due):
        return False
    return rule.event.position < made.position


def _answers_to_nobody(stored: Stored, lives: Sequence[Life]) -> Iterator[Finding]:
    known = {life.key for life in lives}
    for run in stored.runs.values():
        if run.is_of_a_due_time and (run.schedule is None or (run.tenant, run.schedule) not in known):
            yield Finding("S1", str(run.id), f"a run of the unknown schedule {run.schedule}")
    for miss in stored.misses:
        if (miss.tenant, miss.schedule) not in known:
            yield Finding("S1", str(miss.schedule), "a miss of an unknown schedule")


# S2


def judge_times(history: History, lives: Sequence[Life], made: Mapping[Key, Event]) -> Iterator[Finding]:
    spans = excuses(history.faults, history.expected.recovery)
    by_key = {life.key: life for life in lives}
    for run in history.stored.runs.values():
        if run.fired_at is None or not _has_own_time(run):
            continue
        fired = _earliest(run.fired_at, made.get(run.key))
        if fired < run.due_at:
            yield Finding("S2", str(run.id), f"fired {_ms(run.due_at - fired)} early, due {run.due_at.isoformat()}")
        life = by_key.get((run.tenant, run.schedule)) if run.schedule else None
        owed = owed_from(run, life)
        if owed is None or run.fired_at - owed <= history.expected.late:
            continue
        if not is_excused(spans, owed, run.fired_at):
            late = _ms(run.fired_at - owed)
            yield Finding("S2", str(run.id), f"fired {late} late outside faults, due {run.due_at.isoformat()}")


def owed_from(run: Run, life: Life | None) -> datetime | None:
    """From when on it could be fired; None for what comes behind live work and may be late.

    A ONE_SHOT may be due before its schedule was created or enabled.
    """
    if run.cause == "BACKFILL" or (life and life.is_catch_up(run)):
        return None
    reached = [rule.at for rule in life.rules if rule.enabled and rule.names(run.scheduled_for)] if life else []
    return max(run.due_at, min(reached, default=run.due_at))


def _has_own_time(run: Run) -> bool:
    """A run made on the spot is due at the moment of its acceptance, by another process' reading of the clock."""
    return run.is_of_a_due_time or run.due_at > run.created_at


def _earliest(fired: datetime, made: Event | None) -> datetime:
    """The commit time is the database's own word; `fired_at` is the leader's."""
    if made is None or made.committed is None or made.data["firedAt"] is None:
        return fired
    return min(fired, made.committed)


# S3


def judge_constraint(stored: Stored) -> Iterator[Finding]:
    if not any(
        index.columns == _DUE_TIME
        and index.is_unique
        and index.is_valid
        and index.is_immediate
        and all(f"'{cause}'" in index.predicate for cause in ("SCHEDULE", "BACKFILL"))
        for index in stored.indexes
    ):
        yield Finding("S3", "runs", f"no valid unique index on {', '.join(_DUE_TIME)} for SCHEDULE and BACKFILL")
    times = [(run.tenant, run.schedule, run.scheduled_for) for run in stored.runs.values() if run.is_of_a_due_time]
    if len(times) != len(set(times)):
        yield Finding("S3", "runs", f"{len(times)} runs of {len(set(times))} distinct due times")


# S4


def judge_terms(history: History, lives: Sequence[Life]) -> Iterator[Finding]:
    terms = history.stored.terms.get(history.expected.lease, ())
    for before, after in pairwise(terms):
        if after.epoch != before.epoch + 1:
            yield Finding("S4", history.expected.lease, f"epoch {after.epoch} follows epoch {before.epoch}")
        if after.began_at < before.began_at:
            yield Finding("S4", history.expected.lease, f"epoch {after.epoch} began before epoch {before.epoch}")
    if len(terms) != len({term.epoch for term in terms}):
        yield Finding("S4", history.expected.lease, "an epoch has two holders")
    known = {term.epoch for term in terms}
    for life in lives:
        yield from _fence(life, known)


def _fence(life: Life, known: set[int]) -> Iterator[Finding]:
    fired = [
        run
        for run in life.runs
        if run.cause == "SCHEDULE" and run.fired_epoch is not None and not life.is_catch_up(run)
    ]
    for before, after in pairwise(fired):
        if (after.fired_epoch or 0) < (before.fired_epoch or 0):
            yield Finding(
                "S4",
                _subject(life, after.scheduled_for),
                f"fired in epoch {after.fired_epoch}, after epoch {before.fired_epoch} had fired an earlier one",
            )
    for run in fired:
        if run.fired_epoch not in known:
            yield Finding(
                "S4", _subject(life, run.scheduled_for), f"fired in epoch {run.fired_epoch}, which no one held"
            )


def _creations(stored: Stored) -> dict[Key, Event]:
    return {event.key: event for event in stored.events if event.seq == 1 and event.type.startswith("run.")}


def _by_schedule(misses: Sequence[Miss]) -> defaultdict[Key, list[Miss]]:
    found: defaultdict[Key, list[Miss]] = defaultdict(list)
    for miss in misses:
        found[miss.tenant, miss.schedule].append(miss)
    return found


def _subject(life: Life, due: datetime) -> str:
    return f"{life.key[1]} at {due.isoformat()}"


def _ms(length: timedelta) -> str:
    return f"{length / timedelta(milliseconds=1):.0f} ms"
