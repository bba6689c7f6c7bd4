"""From a case and its records to the explanation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, takewhile

from rota.domain.decision import CatchUp, Miss
from rota.domain.explaining.case import Case
from rota.domain.explaining.explanation import Explanation, Outcome, Rule, Step
from rota.domain.explaining.words import instant, length
from rota.domain.misfire import DueTime, Misfire
from rota.domain.overlap import MERGED, OVERLAP, Overlap
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule

_JUST = timedelta(microseconds=1)
_MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is kept of one due time. `run` is of cause SCHEDULE or BACKFILL; of an EVENT schedule, the first that
    was made within a second of the instant. `earlier` is the last run of cause SCHEDULE before it.
    """

    run: Run | None = None
    miss: Miss | None = None
    catch_up: CatchUp | None = None
    earlier: Run | None = None


NOTHING = Record()


def concluded(case: Case, record: Record, present: Schedule, now: datetime) -> Explanation:
    """`present` is the schedule as it stands at `now`."""
    if case.rests and (record.run or record.miss or record.catch_up):
        case = _after_all(case)
    found = record.run or (None if case.is_stopped else case.due)
    return Explanation(
        at=case.at,
        scheduled_for=found.scheduled_for if found else None,
        due_at=found.due_at if found else None,
        steps=(*case.steps, *_steps(case, record, present, now)),
    )


def _after_all(case: Case) -> Case:
    stretch = case.steps[-1].detail.partition(":")[0]
    said = f"{stretch}, and decided all the same: the pause was over, or is made up for"
    return replace(case, steps=(*case.steps[:-1], Step(Rule.ENABLED, Outcome.PASS, said)), made_up=True)


def _steps(case: Case, record: Record, present: Schedule, now: datetime) -> Iterator[Step]:
    own, due = case.version, case.due
    if record.run is not None:
        yield from _of_run(record.run, case)
    elif own is None or due is None or case.is_stopped:
        yield _stopped(case, now)
    elif record.miss is not None:
        yield from _of_miss(record.miss, own.definition.misfire, due)
    elif record.catch_up is not None and _is_to_be_made(record.catch_up, due):
        yield from _of_catch_up(record.catch_up, due)
    elif due.due_at > now:
        yield from _to_come(own, present, due, now)
    else:
        yield from _without_record(present, due, now)


def _stopped(case: Case, now: datetime) -> Step:
    if case.at > now:
        return Step(Rule.RESULT, Outcome.WILL_NOT_FIRE, "it will not fire at this instant")
    return Step(Rule.RESULT, Outcome.NOT_FIRED, "it did not fire at this instant")


# What happened


def _of_run(run: Run, case: Case) -> Iterator[Step]:
    own = case.version
    if run.cause is Cause.SCHEDULE and run.state is RunState.SKIPPED and run.reason not in (MERGED, OVERLAP):
        said = f"skipped on demand at {instant(run.created_at)}: {run.reason}"
        yield Step(Rule.SKIP, Outcome.STOP, said)
    elif run.cause is Cause.SCHEDULE and run.reason != MERGED and own is not None:
        if run.fired_at is not None and not case.made_up:
            yield _punctuality(run.fired_at - run.due_at, own.definition.misfire)
        yield from _of_overlap(run, own.definition.overlap)
    yield result_of(run)


def _punctuality(late: timedelta, misfire: Misfire) -> Step:
    grace = length(misfire.grace)
    if late <= misfire.grace:
        return Step(Rule.MISFIRE, Outcome.PASS, f"handled {length(late)} late, within its grace of {grace}")
    said = f"handled {length(late)} late, beyond its grace of {grace}; policy {misfire.policy} runs it"
    return Step(Rule.MISFIRE, Outcome.PASS, said)


def _of_overlap(run: Run, policy: Overlap) -> Iterator[Step]:
    if run.state is RunState.SKIPPED and run.reason == OVERLAP:
        yield Step(Rule.OVERLAP, Outcome.STOP, f"{policy}: earlier runs of the schedule had not ended")
    elif policy is not Overlap.ALLOW:
        waits = ", and it waits for earlier runs to end" if run.parked_on else ""
        yield Step(Rule.OVERLAP, Outcome.PASS, f"{policy}{waits}")


def result_of(run: Run) -> Step:
    if run.state is RunState.SKIPPED:
        said = f"run {run.id} was never carried out: {run.reason or 'no reason was given'}"
        return Step(Rule.RESULT, Outcome.SKIPPED, said)
    late = "" if run.fired_at is None else f", {length(run.fired_at - run.due_at)} late"
    by = f" by a backfill at {instant(run.created_at)}" if run.cause is Cause.BACKFILL else late
    attempts = f", attempt {run.attempt}" if run.attempt else ""
    reason = f" ({run.reason})" if run.reason else ""
    return Step(Rule.RESULT, Outcome.FIRED, f"fired{by}: run {run.id} is {run.state}{attempts}{reason}")


def _of_miss(miss: Miss, misfire: Misfire, due: DueTime) -> Iterator[Step]:
    late, span = miss.decided_at - due.due_at, miss.span
    window = misfire.catchup_window
    said = f"handled {length(late)} late, beyond its grace of {length(misfire.grace)}; policy {miss.rule}"
    if window is not None and late > window:
        said += f" with a catch-up window of {length(window)}"
    yield Step(Rule.MISFIRE, Outcome.STOP, f"{said} does not run it")
    stretch = f"{span.count} from {instant(span.first)} to {instant(span.last)}"
    yield Step(Rule.RESULT, Outcome.MISSED, f"missed, decided at {instant(miss.decided_at)}: one of {stretch}")


def _is_to_be_made(catch_up: CatchUp, due: DueTime) -> bool:
    return catch_up.made_to is None or due.scheduled_for > catch_up.made_to


def _of_catch_up(catch_up: CatchUp, due: DueTime) -> Iterator[Step]:
    late = length(catch_up.decided_at - due.due_at)
    yield Step(Rule.MISFIRE, Outcome.PASS, f"handled {late} late; its run is made behind live work")
    said = f"one of {catch_up.span.count} that are caught up; its run is still to be made"
    yield Step(Rule.RESULT, Outcome.CATCHING_UP, said)


def _without_record(present: Schedule, due: DueTime, now: datetime) -> Iterator[Step]:
    waiting = present.next
    if present.enabled and waiting is not None and waiting.due_at <= due.due_at:
        said = f"due {length(now - due.due_at)} ago, and not decided yet"
        yield Step(Rule.RESULT, Outcome.OVERDUE, said)
        return
    if _has_used_up(present, due):
        yield Step(Rule.MAX_RUNS, Outcome.STOP, f"all {present.definition.max_runs} runs were made before")
        yield Step(Rule.RESULT, Outcome.NOT_FIRED, "it did not fire at this instant")
        return
    said = "it was decided, and neither a run nor a miss of it is kept any more"
    yield Step(Rule.RESULT, Outcome.NO_RECORD, said)


def _has_used_up(present: Schedule, due: DueTime) -> bool:
    last = present.last_fire_at
    return present.runs_left == 0 and (last is None or due.due_at > last)


# What would happen


def _to_come(own: Schedule, present: Schedule, due: DueTime, now: datetime) -> Iterator[Step]:
    left = present.runs_left
    if left is not None:
        step = _runs_left(present, due, left, now)
        yield step
        if step.stops:
            yield Step(Rule.RESULT, Outcome.WILL_NOT_FIRE, "it will not fire at this instant")
            return
    if own.definition.overlap is not Overlap.ALLOW:
        said = f"{own.definition.overlap}: asked once it is due, of the runs that have not ended then"
        yield Step(Rule.OVERLAP, Outcome.PASS, said)
    if next(present.upcoming(due.due_at - _JUST, now), None) != due:
        yield Step(Rule.RESULT, Outcome.WILL_NOT_FIRE, "it has been decided already, and does not fire again")
        return
    yield Step(Rule.RESULT, Outcome.WILL_FIRE, f"fires at {instant(due.due_at)}, in {length(due.due_at - now)}")


def _runs_left(present: Schedule, due: DueTime, left: int, now: datetime) -> Step:
    most = present.definition.max_runs
    if left > _MOST_COUNTED:
        return Step(Rule.MAX_RUNS, Outcome.PASS, f"{left} of {most} runs are left")
    before = sum(1 for _ in islice(_come_before(present, due, now), left))
    if before < left:
        return Step(Rule.MAX_RUNS, Outcome.PASS, f"{left} of {most} runs are left, and {before} come before")
    return Step(Rule.MAX_RUNS, Outcome.STOP, f"{left} of {most} runs are left, and as many come before")


def _come_before(present: Schedule, due: DueTime, now: datetime) -> Iterator[DueTime]:
    """What is not decided yet and is due before."""
    if present.next is None:
        return iter(())
    rule = present.definition.calendar
    if rule is not None and rule.moves:
        found = present.upcoming(min(now, present.next.due_at) - _JUST, now)
        return takewhile(lambda each: each.due_at < due.due_at, found)
    found = present.due_times(present.next.scheduled_for - _JUST, due.scheduled_for - _JUST)
    return (each for each in found if each.scheduled_for not in present.ahead)
