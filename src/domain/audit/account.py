"""What is on record of a schedule's due times, and whether it is what should be.

Left out is whatever may be as it is: due times that are not decided yet, or at the very moment of a change; runs that
a later definition made of earlier instants; stretches in which the schedule was disabled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from rota.domain.audit.expected import Expected, expected, has_second_opinion
from rota.domain.schedule import Schedule

MOST = 500
"""The most due times of a schedule that are looked at in one visit."""

_JUST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run of a due time. `is_own` says that it is of cause SCHEDULE, and not made by a backfill."""

    scheduled_for: datetime
    created_at: datetime
    is_own: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A schedule as it was from `since` to `until` (None: it still is), looked at beyond `audited_to`.

    `runs` are those scheduled beyond `audited_to`, up to `horizon` and before `until`, in order, the first `MOST` + 1;
    `covered` are the spans of misses, and of what is set aside for catching up. `open_days` of the schedule are
    those of the whole stretch; `is_known` says that it is known what they were.
    """

    schedule: Schedule
    since: datetime
    until: datetime | None
    audited_to: datetime
    horizon: datetime
    runs: tuple[Recorded, ...] = ()
    covered: tuple[tuple[datetime, datetime], ...] = ()
    is_deleted: bool = False
    is_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Up to `audited_to` it was looked at. `missing` have neither run nor miss; `extra` have a run and are none.

    `is_covered` says that there was a second opinion.
    """

    audited_to: datetime
    judged: int = 0
    missing: tuple[datetime, ...] = ()
    extra: tuple[datetime, ...] = ()
    is_covered: bool = True


def audit(account: Account) -> Verdict:
    low, high = account.audited_to, _end(account)
    if not account.is_known or not has_second_opinion(account.schedule.definition):
        return Verdict(audited_to=max(_reach(account), low), is_covered=False)
    if account.schedule.version > 1:
        low = max(low, account.since)  # what was due at the moment of the change was settled under either
    if high <= low:
        return Verdict(audited_to=max(high, account.audited_to))
    if not account.schedule.enabled or account.is_deleted:
        return Verdict(audited_to=high)
    due, high = _due(account, low, high)
    named = {each.scheduled_for for each in due}
    return Verdict(
        audited_to=high,
        judged=len(due),
        missing=_missing(account, due),
        extra=tuple(
            run.scheduled_for
            for run in account.runs
            if low < run.scheduled_for <= high and run.scheduled_for not in named and _is_of_it(account, run)
        ),
    )


def _end(account: Account) -> datetime:
    """What is not decided yet lies beyond; and what more runs there are than were handed over."""
    schedule, high = account.schedule, _reach(account)
    if account.until is None and schedule.next is not None and not _moves(schedule):
        high = min(high, schedule.next.scheduled_for - _JUST)
    return min(high, account.runs[MOST - 1].scheduled_for) if len(account.runs) > MOST else high


def _reach(account: Account) -> datetime:
    return account.horizon if account.until is None else min(account.horizon, account.until - _JUST)


def _due(account: Account, low: datetime, high: datetime) -> tuple[list[Expected], datetime]:
    """And up to where: no further than to a due time that a calendar has moved to where it is still to come."""
    schedule = account.schedule
    found = list(islice(expected(schedule, low, high), MOST + 1))
    if len(found) > MOST:
        found.pop()
        high = found[-1].scheduled_for
    if _moves(schedule):
        limit = account.until or account.horizon
        if account.until is None and schedule.next is not None:
            limit = min(limit, schedule.next.scheduled_for, schedule.next.due_at)
        for n, each in enumerate(found):
            if each.acted_on >= limit - schedule.definition.jitter:
                return found[:n], each.scheduled_for - _JUST
    return found, high


def _missing(account: Account, due: list[Expected]) -> tuple[datetime, ...]:
    has_run = {run.scheduled_for for run in account.runs}
    found = [
        each
        for each in due
        if each.scheduled_for not in has_run
        and not any(first <= each.scheduled_for <= last for first, last in account.covered)
        and account.since < each.acted_on
        and (account.until is None or each.acted_on < account.until - account.schedule.definition.jitter)
    ]
    if account.schedule.runs_left == 0:  # `max_runs` is full: what lies behind the last on record is no due time
        recorded = max((*has_run, *(last for _, last in account.covered)), default=None)
        found = [each for each in found if recorded is not None and each.scheduled_for < recorded]
    return tuple(each.scheduled_for for each in found)


def _is_of_it(account: Account, run: Recorded) -> bool:
    """Whether it was made by the definition that is looked at."""
    return run.is_own and account.since < run.created_at and (account.until is None or run.created_at < account.until)


def _moves(schedule: Schedule) -> bool:
    calendar = schedule.definition.calendar
    return calendar is not None and calendar.moves
