"""Schedules that no clock moves: FIXED_DELAY follows the ends of its runs, EVENT the messages that arrive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rota.domain.explaining.case import Case
from rota.domain.explaining.explanation import Explanation, Outcome, Rule, Step
from rota.domain.explaining.verdict import Record, concluded, result_of
from rota.domain.explaining.words import instant, length
from rota.domain.run import Run
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay, OnEvent


def concluded_by_runs(case: Case, record: Record, present: Schedule, now: datetime) -> Explanation:
    """Of a case that `is_of_runs`."""
    assert case.version is not None
    trigger = case.version.definition.trigger
    if isinstance(trigger, FixedDelay):
        return _delayed(case, record, trigger, present, now)
    assert isinstance(trigger, OnEvent)
    return _heard(case, record, trigger, now)


def _explained(case: Case, steps: Iterator[Step], run: Run | None = None) -> Explanation:
    return Explanation(
        at=case.at,
        scheduled_for=run.scheduled_for if run else None,
        due_at=run.due_at if run else None,
        steps=(*case.steps, *steps),
    )


def _heard(case: Case, record: Record, trigger: OnEvent, now: datetime) -> Explanation:
    def steps() -> Iterator[Step]:
        wanted = f" that passes its filter ({len(trigger.filter)} conditions)" if trigger.filter else ""
        said = f"fires when a message arrives on {trigger.subject!r}{wanted}; no clock says when"
        if record.run is not None:
            yield Step(Rule.TRIGGER, Outcome.PASS, f"{said}; one was taken at {instant(record.run.created_at)}")
            yield result_of(record.run)
        elif case.at > now:
            yield Step(Rule.TRIGGER, Outcome.PASS, said)
            yield Step(Rule.RESULT, Outcome.UNKNOWN, "it depends on what arrives")
        else:
            yield Step(Rule.TRIGGER, Outcome.STOP, f"{said}; none was taken within a second of this instant")
            yield Step(Rule.RESULT, Outcome.NOT_FIRED, "it did not fire at this instant")

    return _explained(case, steps(), record.run)


def _delayed(case: Case, record: Record, trigger: FixedDelay, present: Schedule, now: datetime) -> Explanation:
    said = f"{length(trigger.delay)} after the end of the run before"
    coming = present.next
    if (
        record.run is not None
        or record.miss is not None
        or (coming and case.at in (coming.scheduled_for, coming.due_at))
    ):
        told = f"{said}{_end_of(record.earlier)}"
        known = (*case.steps, Step(Rule.TRIGGER, Outcome.PASS, told))
        due = coming if record.run is None and record.miss is None and coming else case.due
        return concluded(
            Case(at=case.at, scheduled_for=case.scheduled_for, steps=known, version=case.version, due=due),
            record,
            present,
            now,
        )
    return _explained(case, _not_now(case.at, said, record.earlier, present, now))


def _end_of(earlier: Run | None) -> str:
    if earlier is None:
        return "; the first has none before it"
    ended = "has not ended" if earlier.finished_at is None else f"ended at {instant(earlier.finished_at)}"
    return f", {earlier.id}, which {ended}"


def _not_now(at: datetime, said: str, earlier: Run | None, present: Schedule, now: datetime) -> Iterator[Step]:
    coming = present.next
    if at <= now or not present.enabled:
        yield Step(Rule.TRIGGER, Outcome.STOP, f"{said}{_end_of(earlier)}: that is another instant")
        result = Outcome.NOT_FIRED if at <= now else Outcome.WILL_NOT_FIRE
        yield Step(Rule.RESULT, result, "it did not fire at this instant" if at <= now else "the schedule is disabled")
    elif coming is not None and at < coming.due_at:
        yield Step(Rule.TRIGGER, Outcome.STOP, f"{said}: the next is due at {instant(coming.due_at)}")
        yield Step(Rule.RESULT, Outcome.WILL_NOT_FIRE, "it will not fire at this instant")
    else:
        which = f"the one due at {instant(coming.due_at)}" if coming else "the one that goes on"
        yield Step(Rule.TRIGGER, Outcome.PASS, f"{said}: what follows depends on when {which} ends")
        yield Step(Rule.RESULT, Outcome.UNKNOWN, "it depends on when a run ends that has not ended yet")
