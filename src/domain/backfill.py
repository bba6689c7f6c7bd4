"""A backfill: the due times of a stretch of the past that have no run get one, each by the definition of its time.

RUNNING ──> DONE         each of its due times has a run, or nobody is left to carry it out
   └──────> CANCELLED    somebody asked, or the schedule was deleted
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from heapq import merge
from itertools import islice

from rota.domain.calendars.history import CalendarHistory
from rota.domain.errors import ConflictError, InvalidError, TransitionError
from rota.domain.ids import BackfillId, RunId, ScheduleId, TenantId
from rota.domain.misfire import DueTime
from rota.domain.overlap import Overlap
from rota.domain.run import Run
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay, OneShot, OnEvent

MOST = 100_000
"""The most due times that a stretch may have, those with a run included."""

MOST_CONCURRENT = 1_000

_AT_ONCE = 100
_JUST = timedelta(microseconds=1)


class BackfillState(StrEnum):
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """From `since` (included) to `until` (not; None is for ever) this was the schedule, enabled or not.

    `recorded_to` is the latest due time in it that has a run of cause SCHEDULE, or was missed.
    """

    schedule: Schedule
    since: datetime
    until: datetime | None = None
    recorded_to: datetime | None = None
    is_deleted: bool = False

    def due_times(self, since: datetime, until: datetime, by: datetime) -> Iterator[DueTime]:
        """Those scheduled for [since, until) that were due before `by`, in that order."""
        own = self.schedule
        if self.is_deleted or isinstance(own.definition.trigger, FixedDelay | OnEvent):
            return
        if isinstance(own.definition.trigger, OneShot):
            yield from (due for due in own.due_times(since - _JUST, until - _JUST) if self._has_come(due))
            return
        low, high = max(since, self.since), min(until, self._ends(until))
        found = (due for due in own.due_times(low - _JUST, high - _JUST) if due.due_at < by)
        calendar = own.definition.calendar
        yield from found if calendar is None or not calendar.moves else self._firsts(found)

    def _ends(self, until: datetime) -> datetime:
        """What a full `max_runs` cuts off is no due time: then nothing lies behind the last on record."""
        limit = self.schedule.definition.max_runs
        ends = until if self.until is None else self.until
        if limit is None or self.schedule.runs_made < limit:
            return ends
        return self.since if self.recorded_to is None else min(ends, self.recorded_to + _JUST)

    def _firsts(self, found: Iterator[DueTime]) -> Iterator[DueTime]:
        """Of several that a calendar moves to one instant the first fires for all."""
        while some := list(islice(found, _AT_ONCE)):
            earliest, latest = min(due.due_at for due in some), max(due.due_at for due in some)
            firsts = set(self._firing(earliest, latest))
            yield from (due for due in some if due.scheduled_for in firsts)

    def _firing(self, earliest: datetime, latest: datetime) -> Iterator[datetime]:
        """What fires from the one `due_at` to the other, both included."""
        for due in self.schedule.upcoming(earliest - _JUST):
            if due.due_at > latest:
                return
            yield due.scheduled_for

    def _has_come(self, due: DueTime) -> bool:
        """A ONE_SHOT's instant may lie before its reign; while it waits in a disabled schedule it is still to come."""
        if self.until is not None:
            return due.scheduled_for < self.until
        decided_to = self.schedule.decided_to
        return decided_to is not None and due.scheduled_for <= decided_to


def in_calendars(reigns: Iterable[Reign], history: CalendarHistory) -> Iterator[Reign]:
    """The same, cut wherever the schedule's calendar changed: by the calendar of its time too a due time is judged.

    A ONE_SHOT, whose instant may lie outside, goes by what its calendar said last.
    """
    for reign in reigns:
        rule = reign.schedule.definition.calendar
        if rule is None:
            yield reign
            continue
        pieces = list(history.pieces(rule.calendar_id, reign.since, reign.until))
        if isinstance(reign.schedule.definition.trigger, OneShot):
            pieces = [replace(pieces[-1], since=reign.since)]
        for piece in pieces:
            then = replace(reign.schedule, open_days=piece.open_days, _recorded=[], _laid=None)
            yield replace(reign, schedule=then, since=piece.since, until=piece.until)


@dataclass(frozen=True, slots=True)
class PastDue:
    """A due time of the past, and the schedule as it was then."""

    scheduled_for: datetime
    then: Schedule


def past_due(reigns: Iterable[Reign], since: datetime, until: datetime, by: datetime) -> Iterator[PastDue]:
    """Each due time scheduled for [since, until) once, in order; where two definitions name it, by the later one."""
    latest_first = sorted(reigns, key=lambda reign: reign.since, reverse=True)
    last: datetime | None = None
    for past in merge(*(_of(each, since, until, by) for each in latest_first), key=lambda past: past.scheduled_for):
        if past.scheduled_for != last:
            yield past
        last = past.scheduled_for


def _of(reign: Reign, since: datetime, until: datetime, by: datetime) -> Iterator[PastDue]:
    return (PastDue(due.scheduled_for, reign.schedule) for due in reign.due_times(since, until, by))


@dataclass(slots=True, kw_only=True, eq=False)
class Backfill:
    """The due times scheduled for [since, until) that were due when it was asked for and had no run: `count`.

    In their order it has come to `reached`, and has made `made` runs. At most `max_concurrent` of these are
    unfinished at a time; only one, and with no other run of the schedule beside it, where runs may not overlap.
    `next_at` orders those that may go on: the longest waiting first.
    """

    tenant_id: TenantId
    id: BackfillId
    schedule_id: ScheduleId
    since: datetime
    until: datetime
    max_concurrent: int
    created_at: datetime
    next_at: datetime
    state: BackfillState = BackfillState.RUNNING
    count: int = 0
    made: int = 0
    reached: datetime | None = None
    reason: str | None = None
    finished_at: datetime | None = None

    @classmethod
    def ask(
        cls,
        tenant_id: TenantId,
        backfill_id: BackfillId,
        schedule_id: ScheduleId,
        *,
        since: datetime,
        until: datetime,
        max_concurrent: int,
        now: datetime,
    ) -> Backfill:
        """It has no due times yet: `take` tells it of them. Raises InvalidError."""
        if since >= until:
            raise InvalidError("must be later than from", "to")
        if until > now:
            raise InvalidError("must not lie in the future", "to")
        if not 1 <= max_concurrent <= MOST_CONCURRENT:
            raise InvalidError(f"must be from 1 to {MOST_CONCURRENT:,}", "maxConcurrent")
        return cls(
            tenant_id=tenant_id,
            id=backfill_id,
            schedule_id=schedule_id,
            since=since,
            until=until,
            max_concurrent=max_concurrent,
            created_at=now,
            next_at=now,
        )

    def check(self, schedule: Schedule, removed_to: datetime | None) -> None:
        """Whether it is one of this schedule, of whose runs retention has removed some, up to `removed_to`.

        Raises ConflictError, InvalidError.
        """
        trigger = schedule.definition.trigger
        if isinstance(trigger, FixedDelay | OnEvent):
            raise ConflictError(f"a schedule with a trigger of kind {trigger.kind} has no due times to fill in")
        if self.until <= schedule.created_at and not isinstance(trigger, OneShot):
            raise InvalidError(f"must be later than the schedule's creation, {_text(schedule.created_at)}", "to")
        if removed_to is not None and self.since <= removed_to:
            raise InvalidError(
                f"must be later than {_text(removed_to)}: runs up to then were removed, so what ran is not known",
                "from",
            )

    def take(self, count: int) -> None:
        """So many due times are its own; with none there is nothing to do."""
        self.count = count
        if count == 0:
            self._end(BackfillState.DONE, self.created_at)

    @property
    def goes_on_from(self) -> datetime:
        return self.since if self.reached is None else self.reached + _JUST

    def may_make(self, unfinished: int, overlap: Overlap) -> int:
        """How many runs, if so many of its own are unfinished: of all the schedule's, where they may not overlap."""
        if self.state is not BackfillState.RUNNING:
            return 0
        if overlap is not Overlap.ALLOW:
            return 1 if unfinished == 0 else 0
        return max(self.max_concurrent - unfinished, 0)

    def run_for(self, past: PastDue, run_id: RunId, *, now: datetime) -> Run:
        """Not yet accepted. It is due now, as a retried run is: its deadline counts from here, and so does its turn.

        Somebody waits for its end, as the next may then be made. Its correlation id is the backfill's own.
        """
        run = past.then.run_for(DueTime(past.scheduled_for, now), run_id, now=now, epoch=None, cause=Cause.BACKFILL)
        run.is_awaited = True
        run.correlation_id = str(self.id)
        return run

    def advance(self, reached: datetime | None, *, made: int, is_last: bool, now: datetime) -> None:
        """It has come to that due time; None if there was none any more."""
        if self.state is not BackfillState.RUNNING:
            raise TransitionError("backfill", self.id, self.state, "make runs")
        self.reached = reached or self.reached
        self.made += made
        self.next_at = now
        if is_last:
            if self.made < self.count:
                self.reason = f"{self.count - self.made:,} got a run elsewhere, or had nobody left to carry them out"
            self._end(BackfillState.DONE, now)

    def cancel(self, reason: str, now: datetime) -> None:
        if self.state is not BackfillState.RUNNING:
            raise TransitionError("backfill", self.id, self.state, "be cancelled")
        self.reason = reason or None
        self._end(BackfillState.CANCELLED, now)

    def _end(self, state: BackfillState, now: datetime) -> None:
        self.state = state
        self.finished_at = now


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z"
