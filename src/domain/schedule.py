"""A schedule: when (trigger, zone, calendar, policies) and what (target).

A schedule walks its due times once, in order (`course`). `decided_to` is how far it has come, a mark of that course:
each due time up to it has been fired, missed, skipped or set aside for catching up; `next` is the first that has not.

`decided_to` alone says that as long as the order of the due times stays as it is. Beside it stand `ahead`, instants
of the trigger that were decided before their turn; and, where a calendar moves due times, `armed_from`: what is
scheduled up to it is none of this schedule's due times, however late it would be due.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice

from rota.domain.aggregate import Aggregate
from rota.domain.calendars.open_days import OpenDays
from rota.domain.course import Course, Moved, Straight
from rota.domain.errors import InvalidError, TransitionError
from rota.domain.ids import RunId, ScheduleId, TenantId
from rota.domain.misfire import DueTime, Span
from rota.domain.overlap import NONE_GOING, Arranged, Going, Overlap, arrange
from rota.domain.payload import Json
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.schedule_events import (
    RunsMissed,
    ScheduleCreated,
    ScheduleDeleted,
    ScheduleDisabled,
    ScheduleEnabled,
    ScheduleSkipped,
    ScheduleSnapshot,
    ScheduleUpdated,
)
from rota.domain.time.zone import load_zone
from rota.domain.trigger import FixedDelay, Ground, OneShot, OnEvent, check_can_fire

PORTION = 10_000
"""The most due times judged at once; a longer backlog is judged in several decisions."""

SKIPPED = "SKIPPED"
"""Why a run was skipped that somebody wanted to be skipped, and did not say why."""

AT_ONCE = 1_000
"""The most runs that one decision makes; what lies before them is set aside, to be made in portions."""

MOST_AHEAD = 1_000
"""The most due times that may be decided before their turn."""

_JUST = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_EVER = datetime.min.replace(tzinfo=UTC) + timedelta(days=366)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Due times set aside, made into runs in portions: those of FIRE_ALL, and too many to be made at once.

    `made_to` is how far that has come.
    """

    tenant_id: TenantId
    schedule_id: ScheduleId
    revision: int
    span: Span
    decided_at: datetime
    made_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """Due times that the policy did not run."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    span: Span
    rule: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a schedule's due times up to an instant.

    `fire` go at once, `park` once the schedule's earlier runs have ended, `skip` not at all; `merged` neither, as
    an earlier one is due at the same instant. `replaces` says that the runs which are going are to be cancelled.
    """

    fire: tuple[DueTime, ...] = ()
    miss: Miss | None = None
    catch_up: CatchUp | None = None
    park: tuple[DueTime, ...] = ()
    skip: tuple[DueTime, ...] = ()
    replaces: bool = False
    merged: tuple[DueTime, ...] = ()

    @property
    def count(self) -> int:
        """How many due times were decided."""
        spans = [each.span.count for each in (self.miss, self.catch_up) if each]
        return len(self.fire) + len(self.park) + len(self.skip) + len(self.merged) + sum(spans)


@dataclass(frozen=True, slots=True)
class NextMoved:
    """A schedule's next `due_at`, before and after its calendar changed."""

    before: datetime | None
    after: datetime | None


@dataclass(slots=True, kw_only=True, eq=False)
class Schedule(Aggregate):
    """`version` counts changes of the definition and is the revision; the other numbers are the tick's.

    `open_days` is what its calendar says at present, where it goes by one: whoever hands the schedule out gives it.
    """

    id: ScheduleId
    definition: ScheduleDefinition
    created_at: datetime
    updated_at: datetime
    enabled: bool = True
    version: int = 1
    decided_to: datetime | None = None
    next: DueTime | None = None
    last_fire_at: datetime | None = None
    runs_made: int = 0
    fired_epoch: int = 0
    deleted_at: datetime | None = None
    armed_from: datetime | None = None
    ahead: frozenset[datetime] = frozenset()
    open_days: OpenDays | None = field(default=None, repr=False)
    _laid: tuple[ScheduleDefinition, OpenDays | None, Course] | None = field(default=None, repr=False)

    @classmethod
    def create(
        cls,
        tenant_id: TenantId,
        schedule_id: ScheduleId,
        definition: ScheduleDefinition,
        *,
        now: datetime,
        enabled: bool = True,
        open_days: OpenDays | None = None,
    ) -> Schedule:
        """Raises InvalidError for a trigger that can never fire. `open_days` are those of its calendar."""
        schedule = cls(
            tenant_id=tenant_id,
            id=schedule_id,
            definition=definition,
            created_at=now,
            updated_at=now,
            enabled=enabled,
            open_days=open_days,
        )
        schedule._check_trigger(now)
        schedule._arm(now)
        schedule._look_ahead()
        schedule._record(
            ScheduleCreated(tenant_id=tenant_id, subject=schedule_id, at=now, schedule=schedule.snapshot())
        )
        return schedule

    # Changes. Each takes a schedule whose due times up to `now` are decided (`decide`), so that the
    # new definition rules over later ones only.

    def change(self, definition: ScheduleDefinition, *, now: datetime, open_days: OpenDays | None = None) -> None:
        """A definition equal to the present one changes nothing. `open_days` are those of the new one's calendar.

        Raises InvalidError for a trigger that can never fire; the schedule is of no use then.
        """
        if definition == self.definition:
            return
        before, self.definition = self.definition, definition
        if not definition.fires_like(before):
            self._change_trigger(before, open_days, now)
        elif definition.places_like(before):
            self._decided(now)
        else:
            self._change_places(before, open_days, now)
        self._touch(now)
        self._look_ahead()
        self._record(ScheduleUpdated(tenant_id=self.tenant_id, subject=self.id, at=now, schedule=self.snapshot()))

    def recalendar(self, open_days: OpenDays, *, now: datetime) -> NextMoved | None:
        """Its calendar says something else from now on. Answers how its next fire moved; None if it stays.

        What the new calendar would have put before now is due at once, and judged by `misfire`.
        """
        before = self.next
        self._change_places(self.definition, open_days, now)
        self._look_ahead()
        self.updated_at = now
        self._alter()
        moved = NextMoved(before.due_at if before else None, self.next.due_at if self.next else None)
        return None if moved.before == moved.after else moved

    def enable(self, reason: str, *, now: datetime) -> None:
        """What fell due while it was disabled is neither run nor missed (a ONE_SHOT excepted)."""
        if self.enabled:
            return
        self.enabled = True
        self._touch(now)
        if not isinstance(self.definition.trigger, OneShot):
            self._arm(now, self._decided_ahead(now - _JUST))
        self._look_ahead()
        self._record(
            ScheduleEnabled(
                tenant_id=self.tenant_id,
                subject=self.id,
                at=now,
                version=self.version,
                next_fire_at=self.next.due_at if self.next else None,
                reason=reason,
            )
        )

    def disable(self, reason: str, *, now: datetime) -> None:
        if not self.enabled:
            return
        self.enabled = False
        self._touch(now)
        self._decided(now)
        self._look_ahead()
        self._record(
            ScheduleDisabled(tenant_id=self.tenant_id, subject=self.id, at=now, version=self.version, reason=reason)
        )

    def delete(self, *, now: datetime) -> None:
        self.enabled = False
        self.deleted_at = now
        self._touch(now)
        self._decided(now)
        self._look_ahead()
        self._record(ScheduleDeleted(tenant_id=self.tenant_id, subject=self.id, at=now, version=self.version))

    def skip(self, wanted: int | datetime, reason: str, *, now: datetime) -> tuple[DueTime, ...]:
        """Decides fires before their turn: the next so many, or the one that is due at an instant.

        Answers their due times, with those that would have been merged into them; each is to be a skipped run.
        Raises InvalidError on `count` or `at`, and TransitionError while it is disabled.
        """
        name = "at" if isinstance(wanted, datetime) else "count"
        if not self.enabled:
            raise TransitionError("schedule", self.id, "disabled", "skip fires")
        if isinstance(self.definition.trigger, OnEvent):
            raise InvalidError("has no meaning with a trigger of kind EVENT", name)
        found = self._at(wanted) if isinstance(wanted, datetime) else self._next_fires(wanted)
        if not found:
            raise InvalidError("is none of the fires to come" if name == "at" else "nothing comes", name)
        if len(self.ahead) + len(found) > MOST_AHEAD:
            raise InvalidError(f"at most {MOST_AHEAD:,} due times may be skipped before their turn", name)
        self._skip(found, now)
        self._record(
            ScheduleSkipped(
                tenant_id=self.tenant_id,
                subject=self.id,
                at=now,
                due_times=found,
                next_fire_at=self.next.due_at if self.next else None,
                reason=reason,
            )
        )
        return found

    # Firing

    def is_due(self, now: datetime) -> bool:
        return self.enabled and self.next is not None and self.next.due_at <= now

    def decide(self, now: datetime, going: Going = NONE_GOING) -> Decision:
        """Decides the due times that `now` has reached, at most PORTION of them, and looks ahead.

        `going` are the schedule's runs that have not ended; they matter unless it lets runs overlap.
        Call again while `is_due`. What a full `max_runs` cuts off is no due time.
        """
        if not self.is_due(now):
            return Decision()
        due, merged, more_follow = self._portion(now)
        if not due:  # its calendar has changed since `next` was told
            self._look_ahead()
            return Decision()
        verdict = self.definition.misfire.judge(due, now, more_follow=more_follow)
        wanted = (*verdict.catch_up, *verdict.fire)
        if self.definition.overlap is Overlap.ALLOW:
            wanted = wanted[: self.runs_left]
        aside = max(min(len(verdict.catch_up), len(wanted)), len(wanted) - AT_ONCE)
        if self.definition.calendar:  # what a calendar may change meanwhile cannot be set aside
            aside = 0
        catch_up = wanted[:aside][: self.runs_left]
        self.runs_made += len(catch_up)
        fire = self._arrange(wanted[aside:], going)
        if fire.go or fire.park:
            self.last_fire_at = now
        self.decided_to = self._course.mark_of(due[-1])
        self._forget_ahead()
        self._look_ahead()
        if isinstance(self.definition.trigger, FixedDelay) and not (fire.go or fire.park):
            self.run_ended(now)
        return Decision(
            fire.go,
            self._missed(Span.over(verdict.missed), now),
            self._set_aside(Span.over(catch_up), now),
            fire.park,
            fire.skip,
            fire.replaces,
            merged,
        )

    def arrange(self, due: Sequence[DueTime], going: Going, policy: Overlap) -> Arranged:
        """Sorts due times that were set aside, now that they are made: some may have to wait, or be skipped.

        `policy` is the one they were due under; what is late replaces nothing, but waits.
        """
        arranged = arrange(Overlap.QUEUE if policy is Overlap.REPLACE else policy, due, going)
        self.runs_made -= len(arranged.skip)
        if arranged.skip:
            self._alter()
        return arranged

    def run_ended(self, at: datetime) -> None:
        """The last run of a FIXED_DELAY schedule ended, or none was made: from here the delay counts."""
        trigger = self.definition.trigger
        if not isinstance(trigger, FixedDelay) or not self.enabled or self.next is not None:
            return
        due = at + trigger.delay
        if self.decided_to is not None and due <= self.decided_to:
            due = self.decided_to + _JUST
        self.next = None if self._is_over(due) else DueTime(due, due + self._spread)
        self._alter()

    def run_for(
        self, due: DueTime, run_id: RunId, *, now: datetime, epoch: int | None, cause: Cause = Cause.SCHEDULE
    ) -> Run:
        """The run of one due time; not yet accepted."""
        target = self.definition.target
        return new_run(
            self.tenant_id,
            run_id,
            target.terms,
            cause,
            now=now,
            due_at=due.due_at,
            scheduled_for=due.scheduled_for,
            fired_at=now,
            schedule_id=self.id,
            payload=target.payload,
            labels=self.definition.labels,
            priority=self.definition.priority,
            is_awaited=self.definition.waits_for_ends,
            fired_epoch=epoch,
        )

    def skipped_run(self, due: DueTime, run_id: RunId, reason: str, *, now: datetime) -> Run:
        """The record of a due time that was skipped before its turn: nothing was fired."""
        run = self.run_for(due, run_id, now=now, epoch=None)
        run.fired_at = None
        return run.accept_skipped(reason or SKIPPED)

    def run_now(self, run_id: RunId, *, now: datetime, payload: Json | None = None, cause: Cause = Cause.MANUAL) -> Run:
        """A run that no due time asked for; not yet accepted. `payload` replaces the target's."""
        target = self.definition.target
        return new_run(
            self.tenant_id,
            run_id,
            target.terms,
            cause,
            now=now,
            schedule_id=self.id,
            payload=target.payload if payload is None else payload,
            labels=self.definition.labels,
            priority=self.definition.priority,
            is_awaited=self.definition.waits_for_ends,
        )

    def due_times(self, after: datetime, until: datetime) -> Iterator[DueTime]:
        """The due times of the present definition with `scheduled_for` in (after, until], in that order."""
        own, course = self.definition, self._course
        if own.start_at is not None:
            after = max(after, own.start_at - _JUST)
        if own.end_at is not None:
            until = min(until, own.end_at - _JUST)
        for instant in own.trigger.fires_between(after, until, self._ground):
            due = course.at(instant)
            if due is not None:
                yield due

    def due_times_of(self, catch_up: CatchUp) -> Iterator[DueTime]:
        """Those that are still to be made, in order."""
        span = catch_up.span
        if isinstance(self.definition.trigger, FixedDelay):  # its one due time came from a run, not from the trigger
            yield from (DueTime(span.first, span.first + self._spread),) if catch_up.made_to is None else ()
            return
        yield from self.due_times(catch_up.made_to or span.first - _JUST, span.last)

    def upcoming(self, after: datetime, now: datetime | None = None) -> Iterator[DueTime]:
        """The due times with `due_at` later than `after` that would fire, without end unless the definition has one.

        Whatever was decided before: asked about the past, it tells what the present definition makes of it. With
        `now`, of what is due later than that, what is none of its due times is left out.
        """
        if isinstance(self.definition.trigger, FixedDelay):
            yield from (due for due in (self.next,) if due is not None and due.due_at > after)
            return
        course = self._course
        low = _EVER if now is None else (self.armed_from if isinstance(course, Moved) else self.decided_to) or _EVER
        left = (
            due
            for due in course.beyond(course.mark_at(after))
            if due.scheduled_for not in self.ahead
            and (due.scheduled_for > low or (now is not None and due.due_at <= now))
        )
        for _, together in groupby(left, lambda due: due.due_at):
            yield next(together)

    def snapshot(self) -> ScheduleSnapshot:
        return ScheduleSnapshot(
            id=self.id,
            tenant_id=self.tenant_id,
            definition=self.definition,
            enabled=self.enabled,
            next_fire_at=self.next.due_at if self.next and self.enabled else None,
            last_fire_at=self.last_fire_at,
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )

    @property
    def _ground(self) -> Ground:
        own = self.definition
        return Ground(load_zone(own.tz), self.created_at, own.start_at, self.open_days)

    @property
    def _course(self) -> Course:
        """Laid once for what is said and open now: the tick asks for it several times, of thousands of schedules."""
        laid = self._laid
        if laid is None or laid[0] is not self.definition or laid[1] is not self.open_days:
            laid = self._laid = (self.definition, self.open_days, self._lay_course())
        return laid[2]

    def _lay_course(self) -> Course:
        own, spread = self.definition, self._spread
        if own.calendar is None or self.open_days is None or not own.calendar.moves:
            return Straight(own.trigger, self._ground, own.end_at, spread, own.calendar is not None)
        return Moved(own.trigger, self._ground, own.calendar.on_closed, own.end_at, spread)

    @property
    def _spread(self) -> timedelta:
        """The same each time: schedules with one expression and a jitter do not come all at once."""
        jitter = self.definition.jitter
        if not jitter:
            return jitter
        digest = int.from_bytes(hashlib.sha256(self.id.bytes).digest()[:8])
        return timedelta(milliseconds=digest % (jitter // _MILLISECOND + 1))

    def _check_trigger(self, now: datetime) -> None:
        """Raises InvalidError on `trigger`."""
        try:
            check_can_fire(self.definition.trigger, self._ground, now)
        except InvalidError as error:
            raise error.under("trigger") from error

    # The walk

    def _portion(self, now: datetime) -> tuple[list[DueTime], tuple[DueTime, ...], bool]:
        """The due times to be judged now, those merged into them, and whether more follow."""
        if isinstance(self.definition.trigger, FixedDelay):
            return ([self.next] if self.next else []), (), False
        if not isinstance(self._course, Moved):
            most = AT_ONCE if self.definition.calendar else PORTION
            due = list(islice(self._in_trigger_order(now), most + 1))
            return due[:most], (), len(due) > most
        found = [list(each) for _, each in islice(groupby(self._due_until(now), lambda due: due.due_at), AT_ONCE + 1)]
        portion = found[:AT_ONCE]
        merged = tuple(due for together in portion for due in together[1:])
        return [together[0] for together in portion], merged, len(found) > AT_ONCE

    def _in_trigger_order(self, now: datetime) -> Iterator[DueTime]:
        """What is not yet decided, where no calendar moves it. Mostly that is `next` alone, which is known already."""
        assert self.next is not None
        course = self._course
        yield self.next
        mark = course.mark_of(self.next)
        following = course.next_after(mark)
        if following is None or following.due_at > now:
            return
        for due in course.beyond(mark, now):
            if due.scheduled_for not in self.ahead:
                yield due

    def _due_until(self, now: datetime | None) -> Iterator[DueTime]:
        """What is not yet decided, in order."""
        return self._undecided(self._course.beyond(self._mark, now))

    def _undecided(self, found: Iterator[DueTime]) -> Iterator[DueTime]:
        """Of those beyond the mark."""
        if not self.ahead and self.armed_from is None:
            return found
        low = self.armed_from or _EVER
        return (due for due in found if due.scheduled_for > low and due.scheduled_for not in self.ahead)

    def _next_fires(self, count: int) -> tuple[DueTime, ...]:
        """The due times of the next so many, which are known of most triggers."""
        if self.next is None:
            return ()
        if not isinstance(self.definition.trigger, FixedDelay):
            together = groupby(self._due_until(None), lambda due: due.due_at)
            return tuple(due for _, group in islice(together, count) for due in group)
        if count > 1:
            raise InvalidError("a FIXED_DELAY schedule knows only the next of its fires", "count")
        return (self.next,)

    def _at(self, due_at: datetime) -> tuple[DueTime, ...]:
        """Those due at that instant."""
        if self.next is None or isinstance(self.definition.trigger, FixedDelay):
            return (self.next,) if self.next and self.next.due_at == due_at else ()
        course = self._course
        before = max(self._mark, course.mark_at(due_at - _JUST))
        return tuple(due for due in self._undecided(course.beyond(before, due_at)) if due.due_at == due_at)

    def _skip(self, found: tuple[DueTime, ...], now: datetime) -> None:
        if isinstance(self.definition.trigger, FixedDelay):
            self.decided_to = found[-1].scheduled_for
            self._look_ahead()
            self.run_ended(now)
            return
        self.ahead |= {due.scheduled_for for due in found}
        self._look_ahead()

    @property
    def _mark(self) -> datetime:
        """How far it has come; the beginning, if nothing was decided yet."""
        if self.decided_to is not None:
            return self.decided_to
        course = self._course
        if self.armed_from is None or not isinstance(course, Moved):
            return _EVER
        return course.mark_before(self.armed_from)

    def _arm(self, now: datetime, ahead: frozenset[datetime] = frozenset()) -> None:
        """No due time lies before this; a ONE_SHOT's may. `ahead` is what was decided already of what lies beyond."""
        trigger = self.definition.trigger
        low = now - _JUST
        if isinstance(trigger, OneShot):
            instant = trigger.next_fire(_EVER, self._ground)
            low = _EVER if instant is None else instant - _JUST
        self._begin(low, ahead)
        if isinstance(trigger, FixedDelay):
            first = max(now, self.definition.start_at or now)
            self.next = DueTime(first, first + self._spread)

    def _begin(self, low: datetime, ahead: frozenset[datetime]) -> None:
        """What is scheduled up to `low` is decided, of what lies beyond only `ahead`."""
        moves = isinstance(self._course, Moved)
        self.decided_to, self.armed_from = (None, low) if moves else (low, None)
        self.ahead = ahead

    def _change_trigger(self, before: ScheduleDefinition, open_days: OpenDays | None, now: datetime) -> None:
        ahead = self._as(before)._decided_ahead(now - _JUST)
        self.open_days = open_days
        self._check_trigger(now)
        self._arm(now, ahead)

    def _change_places(self, before: ScheduleDefinition, open_days: OpenDays | None, now: datetime) -> None:
        """The trigger's instants stay and are due at other times: those that are not decided yet."""
        then = self._as(before)
        then._decided(now)
        low = then._decided_below(now)
        ahead = then._decided_ahead(low, now)
        self.open_days = open_days
        self._begin(low, ahead)

    def _as(self, definition: ScheduleDefinition) -> Schedule:
        """The schedule with another definition; for asking only."""
        return replace(self, definition=definition, _recorded=[], _laid=None)

    def _decided_below(self, now: datetime) -> datetime:
        """An instant up to which all that the trigger names is decided, and as late as may be."""
        course = self._course
        if not isinstance(course, Moved):
            return self.decided_to or _EVER
        low = max(self.armed_from or _EVER, course.earliest(self._mark))
        for instant in course.scheduled(low, self._mark):
            if not self._is_decided(instant, now):
                return instant - _JUST
            low = instant
        return low

    def _decided_ahead(self, low: datetime, now: datetime | None = None) -> frozenset[datetime]:
        """What is decided already of what the trigger names beyond `low`."""
        kept = {instant for instant in self.ahead if instant > low}
        course = self._course
        if isinstance(course, Moved):
            kept.update(each for each in course.scheduled(low, self._mark) if self._is_decided(each, now))
        return frozenset(kept)

    def _is_decided(self, instant: datetime, now: datetime | None) -> bool:
        """Of a course that moves; closed times that are past count as decided."""
        if instant in self.ahead:
            return True
        due = self._course.at(instant)
        if due is None:
            return now is not None and instant <= now
        return due.due_at <= self._mark

    def _forget_ahead(self) -> None:
        """What the walk has passed by now."""
        course, mark = self._course, self._mark
        if self.ahead and not isinstance(course, Moved):
            self.ahead = frozenset(instant for instant in self.ahead if instant > mark)
        elif self.ahead:
            found = ((instant, course.at(instant)) for instant in self.ahead)
            self.ahead = frozenset(instant for instant, due in found if due and course.mark_of(due) > mark)

    def _decided(self, now: datetime) -> None:
        """All up to `now` is decided; a ONE_SHOT in a disabled schedule may still wait behind it, and a message that
        an EVENT schedule is to hear may still be under way.
        """
        if not isinstance(self.definition.trigger, OneShot | OnEvent):
            mark = self._course.mark_at(now)
            self.decided_to = max(mark, self.decided_to or mark)

    def _look_ahead(self) -> None:
        spent = not self.enabled or self.runs_left == 0
        if isinstance(self.definition.trigger, FixedDelay):
            self._look_ahead_of_delay(spent)
        elif spent:
            self.next = None
        elif self.ahead or self.armed_from is not None:
            self.next = next(iter(self._due_until(None)), None)
        else:
            self.next = self._course.next_after(self._mark)

    def _look_ahead_of_delay(self, spent: bool) -> None:
        """What comes next stands already, until it is decided: then the end of its run tells."""
        is_decided = (
            self.next is not None and self.decided_to is not None and self.next.scheduled_for <= self.decided_to
        )
        if spent or is_decided or (self.next and self._is_over(self.next.scheduled_for)):
            self.next = None

    def _is_over(self, due: datetime) -> bool:
        end = self.definition.end_at
        return self.runs_left == 0 or (end is not None and due >= end)

    def _arrange(self, due: Sequence[DueTime], going: Going) -> Arranged:
        """A SKIPPED run does not count towards `max_runs`, so it is known only afterwards where that cuts off."""
        arranged = arrange(self.definition.overlap, due, going)
        left = self.runs_left
        if left is not None:
            go = arranged.go[:left]
            arranged = replace(arranged, go=go, park=arranged.park[: left - len(go)])
        self.runs_made += len(arranged.go) + len(arranged.park)
        return arranged

    @property
    def runs_left(self) -> int | None:
        """How many more `max_runs` allows; None is no limit."""
        limit = self.definition.max_runs
        return None if limit is None else max(limit - self.runs_made, 0)

    def _missed(self, span: Span | None, now: datetime) -> Miss | None:
        if span is None:
            return None
        rule = self.definition.misfire.policy.value
        self._record(RunsMissed(tenant_id=self.tenant_id, subject=self.id, at=now, span=span, rule=rule))
        return Miss(self.tenant_id, self.id, span, rule, now)

    def _set_aside(self, span: Span | None, now: datetime) -> CatchUp | None:
        return None if span is None else CatchUp(self.tenant_id, self.id, self.version, span, now)

    def _touch(self, now: datetime) -> None:
        self.updated_at = now
        self.version += 1
