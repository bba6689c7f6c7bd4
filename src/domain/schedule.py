"""A schedule: when (trigger, zone, policies) and what (target).

A schedule walks its due times once, in order. `decided_to` is how far it has come: each due time
at or before it has been fired, missed or set aside for catching up; `next` is the first that has not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from rota.domain.aggregate import Aggregate
from rota.domain.errors import InvalidError
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
    ScheduleSnapshot,
    ScheduleUpdated,
)
from rota.domain.time.zone import load_zone
from rota.domain.trigger import FixedDelay, Ground, OneShot, check_can_fire

PORTION = 10_000
"""The most due times judged at once; a longer backlog is judged in several decisions."""

AT_ONCE = 1_000
"""The most runs that one decision makes; what lies before them is set aside, to be made in portions."""

_JUST = timedelta(microseconds=1)
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

    `fire` go at once, `park` once the schedule's earlier runs have ended, `skip` not at all. `replaces` says that
    the runs which are going are to be cancelled.
    """

    fire: tuple[DueTime, ...] = ()
    miss: Miss | None = None
    catch_up: CatchUp | None = None
    park: tuple[DueTime, ...] = ()
    skip: tuple[DueTime, ...] = ()
    replaces: bool = False

    @property
    def count(self) -> int:
        """How many due times were decided."""
        spans = [each.span.count for each in (self.miss, self.catch_up) if each]
        return len(self.fire) + len(self.park) + len(self.skip) + sum(spans)


@dataclass(slots=True, kw_only=True, eq=False)
class Schedule(Aggregate):
    """`version` counts changes of the definition and is the revision; the other numbers are the tick's."""

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

    @classmethod
    def create(
        cls,
        tenant_id: TenantId,
        schedule_id: ScheduleId,
        definition: ScheduleDefinition,
        *,
        now: datetime,
        enabled: bool = True,
    ) -> Schedule:
        """Raises InvalidError for a trigger that can never fire."""
        schedule = cls(
            tenant_id=tenant_id,
            id=schedule_id,
            definition=definition,
            created_at=now,
            updated_at=now,
            enabled=enabled,
        )
        schedule._check_trigger(now)
        schedule._arm(now)
        schedule._record(
            ScheduleCreated(tenant_id=tenant_id, subject=schedule_id, at=now, schedule=schedule.snapshot())
        )
        return schedule

    # Changes. Each takes a schedule whose due times up to `now` are decided (`decide`), so that the
    # new definition rules over later ones only.

    def change(self, definition: ScheduleDefinition, *, now: datetime) -> None:
        """A definition equal to the present one changes nothing.

        Raises InvalidError for a trigger that can never fire; the schedule is of no use then.
        """
        if definition == self.definition:
            return
        rearm = not definition.fires_like(self.definition)
        self.definition = definition
        if rearm:
            self._check_trigger(now)
        self._touch(now)
        if rearm:
            self._arm(now)
        else:
            self._decided(now)
        self._record(ScheduleUpdated(tenant_id=self.tenant_id, subject=self.id, at=now, schedule=self.snapshot()))

    def enable(self, reason: str, *, now: datetime) -> None:
        """What fell due while it was disabled is neither run nor missed (a ONE_SHOT excepted)."""
        if self.enabled:
            return
        self.enabled = True
        self._touch(now)
        if isinstance(self.definition.trigger, OneShot):
            self._look_ahead()
        else:
            self._arm(now)
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
        self._record(
            ScheduleDisabled(tenant_id=self.tenant_id, subject=self.id, at=now, version=self.version, reason=reason)
        )

    def delete(self, *, now: datetime) -> None:
        self.enabled = False
        self.deleted_at = now
        self._touch(now)
        self._decided(now)
        self._record(ScheduleDeleted(tenant_id=self.tenant_id, subject=self.id, at=now, version=self.version))

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
        due = list(islice(self._due_until(now), PORTION + 1))
        more_follow = len(due) > PORTION
        due = due[:PORTION]
        verdict = self.definition.misfire.judge(due, now, more_follow=more_follow)
        wanted = (*verdict.catch_up, *verdict.fire)
        if self.definition.overlap is Overlap.ALLOW:
            wanted = wanted[: self.runs_left]
        aside = max(min(len(verdict.catch_up), len(wanted)), len(wanted) - AT_ONCE)
        catch_up = wanted[:aside][: self.runs_left]
        self.runs_made += len(catch_up)
        fire = self._arrange(wanted[aside:], going)
        if fire.go or fire.park:
            self.last_fire_at = now
        self.decided_to = due[-1].scheduled_for
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
        self.next = None if self._is_over(due) else DueTime(due, due)
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
        """The due times of the present definition with `scheduled_for` in (after, until]."""
        own = self.definition
        if own.start_at is not None:
            after = max(after, own.start_at - _JUST)
        if own.end_at is not None:
            until = min(until, own.end_at - _JUST)
        for instant in own.trigger.fires_between(after, until, self._ground):
            yield DueTime(instant, instant)

    def due_times_of(self, catch_up: CatchUp) -> Iterator[DueTime]:
        """Those that are still to be made, in order."""
        span = catch_up.span
        yield from self.due_times(catch_up.made_to or span.first - _JUST, span.last)

    def upcoming(self, after: datetime) -> Iterator[DueTime]:
        """The due times later than `after`, without end unless the definition has one."""
        if isinstance(self.definition.trigger, FixedDelay):
            yield from (due for due in (self.next,) if due is not None and due.scheduled_for > after)
            return
        while (due := self._next_after(after)) is not None:
            yield due
            after = due.scheduled_for

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
        return Ground(load_zone(own.tz), self.created_at, own.start_at)

    def _check_trigger(self, now: datetime) -> None:
        """Raises InvalidError on `trigger`."""
        try:
            check_can_fire(self.definition.trigger, self._ground, now)
        except InvalidError as error:
            raise error.under("trigger") from error

    def _due_until(self, now: datetime) -> Iterator[DueTime]:
        assert self.next is not None
        yield self.next
        yield from self.due_times(self.next.scheduled_for, now)

    def _next_after(self, after: datetime) -> DueTime | None:
        own = self.definition
        if own.start_at is not None:
            after = max(after, own.start_at - _JUST)
        instant = own.trigger.next_fire(after, self._ground)
        if instant is None or (own.end_at is not None and instant >= own.end_at):
            return None
        return DueTime(instant, instant)

    def _arm(self, now: datetime) -> None:
        """No due time lies before this; a ONE_SHOT's may."""
        self.decided_to = None if isinstance(self.definition.trigger, OneShot) else now - _JUST
        if isinstance(self.definition.trigger, FixedDelay):
            first = max(now, self.definition.start_at or now)
            self.next = DueTime(first, first)
        self._look_ahead()

    def _decided(self, now: datetime) -> None:
        """All up to `now` is decided; a ONE_SHOT in a disabled schedule may still wait behind it."""
        if not isinstance(self.definition.trigger, OneShot):
            self.decided_to = max(now, self.decided_to or now)
        self._look_ahead()

    def _look_ahead(self) -> None:
        spent = not self.enabled or self.runs_left == 0
        if isinstance(self.definition.trigger, FixedDelay):
            self._look_ahead_of_delay(spent)
        else:
            self.next = None if spent else self._next_after(self.decided_to or _EVER)

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
