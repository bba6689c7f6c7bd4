"""A schedule: when (trigger, zone, calendar, policies) and what (target).

How it walks its due times is told in `walk`; here stands what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rota.domain.calendars.open_days import OpenDays
from rota.domain.decision import CatchUp, Decision, Miss, NextMoved
from rota.domain.errors import InvalidError, TransitionError
from rota.domain.ids import RunId, ScheduleId, TenantId
from rota.domain.misfire import DueTime, Span
from rota.domain.overlap import NONE_GOING, Arranged, Going, Overlap, arrange
from rota.domain.pause import MakeUp
from rota.domain.payload import Json
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.schedule_events import (
    RunsMissed,
    ScheduleAudited,
    ScheduleCreated,
    ScheduleDeleted,
    ScheduleDisabled,
    ScheduleEnabled,
    ScheduleSkipped,
    ScheduleSnapshot,
    ScheduleUpdated,
)
from rota.domain.trigger import FixedDelay, OneShot, OnEvent
from rota.domain.walk import AT_ONCE, JUST, Walk

SKIPPED = "SKIPPED"
"""Why a run was skipped that somebody wanted to be skipped, and did not say why."""

_SKIPPING = frozenset({Overlap.SKIP, Overlap.QUEUE_ONE})

MOST_AHEAD = 1_000
"""The most due times that may be decided before their turn."""


@dataclass(slots=True, kw_only=True, eq=False)
class Schedule(Walk):
    """`version` counts changes of the definition and is the revision; the other numbers are the tick's.

    `open_days` is what its calendar says at present, where it goes by one: whoever hands the schedule out gives it.
    """

    updated_at: datetime
    version: int = 1
    last_fire_at: datetime | None = None
    fired_epoch: int = 0
    deleted_at: datetime | None = None
    disabled_until: datetime | None = None

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
        elif not definition.places_like(before):
            replace(self, open_days=open_days, _recorded=[], _laid=None)._check_calendar(now)
            self._change_places(before, open_days, now)
        elif self.enabled:  # what fell due in a pause is still to be decided
            self._decided(now)
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

    def enable(
        self, reason: str, *, now: datetime, make_up: MakeUp = MakeUp.NONE, going: Going = NONE_GOING
    ) -> Decision:
        """Answers what is decided of the due times of the pause: nothing, unless `make_up` wants them.

        Then neither `misfire` nor its window counts. A ONE_SHOT whose time has passed is due in any case. `going` are
        the schedule's runs that have not ended. Raises InvalidError on `catchUp`.
        """
        if self.enabled:
            return Decision()
        decision = Decision()
        if make_up is not MakeUp.NONE:
            decision = self._make_up(make_up, now, going)
        elif not isinstance(self.definition.trigger, OneShot):
            self._pass_by(now)
        self._go_on(reason, make_up, now)
        return decision

    def resume(self, *, now: datetime) -> None:
        """It was disabled until an instant that has come: what has fallen due since then is due."""
        until = self.disabled_until
        if self.enabled or until is None or until > now:
            return
        if not isinstance(self.definition.trigger, OneShot):
            self._pass_by(until)
        self._go_on("its pause is over", MakeUp.NONE, now)

    def disable(self, reason: str, *, now: datetime, until: datetime | None = None) -> None:
        """`until` then; None is for good. Raises InvalidError on `until` for one that does not lie ahead."""
        if until is not None and until <= now:
            raise InvalidError("must lie in the future", "until")
        if not self.enabled and until == self.disabled_until:
            return
        if self.enabled:
            self._decided(now)
        self.enabled = False
        self.disabled_until = until
        self._touch(now)
        self._look_ahead()
        self._record(
            ScheduleDisabled(
                tenant_id=self.tenant_id,
                subject=self.id,
                at=now,
                version=self.version,
                reason=reason,
                until=until,
            )
        )

    def delete(self, *, now: datetime) -> None:
        self.enabled = False
        self.disabled_until = None
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
        catch_up = wanted[:aside]
        if self.definition.overlap not in _SKIPPING:  # of these most will be skipped, and count for no run
            catch_up = catch_up[: self.runs_left]
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
        before = self.runs_made
        self.runs_made -= len(due)
        arranged = self._within_limit(arrange(Overlap.QUEUE if policy is Overlap.REPLACE else policy, due, going))
        if self.runs_made != before:
            if self.next is None and not isinstance(self.definition.trigger, FixedDelay):
                self._look_ahead()
            self._alter()
        return arranged

    def run_ended(self, at: datetime) -> None:
        """The last run of a FIXED_DELAY schedule ended, or none was made: from here the delay counts."""
        trigger = self.definition.trigger
        if not isinstance(trigger, FixedDelay) or not self.enabled or self.next is not None:
            return
        due = at + trigger.delay
        if self.decided_to is not None and due <= self.decided_to:
            due = self.decided_to + JUST
        self.next = None if self._is_over(due) else DueTime(due, due + self._spread)
        self._alter()

    def run_for(
        self, due: DueTime, run_id: RunId, *, now: datetime, epoch: int | None, cause: Cause = Cause.SCHEDULE
    ) -> Run:
        """The run of one due time; not yet accepted."""
        return self._new_run(run_id, cause, now=now, due=due, epoch=epoch)

    def skipped_run(self, due: DueTime, run_id: RunId, reason: str, *, now: datetime) -> Run:
        """The record of a due time that was skipped before its turn: nothing was fired."""
        run = self.run_for(due, run_id, now=now, epoch=None)
        run.fired_at = None
        return run.accept_skipped(reason or SKIPPED)

    def run_now(self, run_id: RunId, *, now: datetime, payload: Json | None = None, cause: Cause = Cause.MANUAL) -> Run:
        """A run that no due time asked for; not yet accepted. `payload` replaces the target's."""
        return self._new_run(run_id, cause, now=now, payload=payload)

    def _new_run(
        self,
        run_id: RunId,
        cause: Cause,
        *,
        now: datetime,
        due: DueTime | None = None,
        payload: Json | None = None,
        epoch: int | None = None,
    ) -> Run:
        target = self.definition.target
        return new_run(
            self.tenant_id,
            run_id,
            target.terms,
            cause,
            now=now,
            due_at=due.due_at if due else None,
            scheduled_for=due.scheduled_for if due else None,
            fired_at=now if due else None,
            schedule_id=self.id,
            payload=target.payload if payload is None else payload,
            labels=self.definition.labels,
            priority=self.definition.priority,
            is_awaited=self.definition.waits_for_ends,
            fired_epoch=epoch,
        )

    def note_difference(self, kind: str, span: Span, *, now: datetime) -> None:
        """The auditor has found one. It stays as it is."""
        self._record(ScheduleAudited(tenant_id=self.tenant_id, subject=self.id, at=now, difference=kind, span=span))

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
            disabled_until=self.disabled_until,
        )

    def _skip(self, found: tuple[DueTime, ...], now: datetime) -> None:
        if isinstance(self.definition.trigger, FixedDelay):
            self.decided_to = found[-1].scheduled_for
            self._look_ahead()
            self.run_ended(now)
            return
        self.ahead |= {due.scheduled_for for due in found}
        self._look_ahead()

    # The end of a pause

    def _go_on(self, reason: str, make_up: MakeUp, now: datetime) -> None:
        self.enabled = True
        self.disabled_until = None
        self._touch(now)
        self._look_ahead()
        self._record(
            ScheduleEnabled(
                tenant_id=self.tenant_id,
                subject=self.id,
                at=now,
                version=self.version,
                next_fire_at=self.next.due_at if self.next else None,
                reason=reason,
                make_up=make_up,
            )
        )

    def _make_up(self, wanted: MakeUp, now: datetime, going: Going) -> Decision:
        if isinstance(self.definition.trigger, FixedDelay | OnEvent):
            raise InvalidError(f"has no meaning with a trigger of kind {self.definition.trigger.kind}", "catchUp")
        found = self._all_due(now) if wanted is MakeUp.ALL else self._last_due(now)
        first = [together[0] for together in found][: self.runs_left]
        aside = wanted is MakeUp.ALL and self.definition.calendar is None  # as in `decide`
        fire = Arranged() if aside else self._arrange(first, going)
        if aside:
            self.runs_made += len(first)
        if fire.go or fire.park:
            self.last_fire_at = now
        if found:
            self.decided_to = self._course.mark_of(found[-1][-1])
        self._decided(now)
        self._forget_ahead()
        merged = tuple(due for together in found for due in together[1:])
        catch_up = self._set_aside(Span.over(first) if aside else None, now)
        return Decision(fire.go, None, catch_up, fire.park, fire.skip, fire.replaces, merged)

    def _arrange(self, due: Sequence[DueTime], going: Going) -> Arranged:
        return self._within_limit(arrange(self.definition.overlap, due, going))

    def _within_limit(self, arranged: Arranged) -> Arranged:
        """A SKIPPED run does not count towards `max_runs`, so it is known only afterwards where that cuts off."""
        left = self.runs_left
        if left is not None:
            go = arranged.go[:left]
            arranged = replace(arranged, go=go, park=arranged.park[: left - len(go)])
        self.runs_made += len(arranged.go) + len(arranged.park)
        return arranged

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
