"""A schedule: when (trigger, zone, policies) and what (target).

A schedule walks its due times once, in order. `decided_to` is how far it has come: each due time
at or before it has been fired, missed or set aside for catching up; `next` is the first that has not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import ClassVar

from rota.domain.aggregate import Aggregate, DomainEvent
from rota.domain.errors import InvalidError
from rota.domain.ids import RunId, ScheduleId, TenantId, printable_name
from rota.domain.job import JobTerms
from rota.domain.misfire import DueTime, Misfire, Span
from rota.domain.run import Cause, Json, Run, new_run
from rota.domain.time.zone import load_zone
from rota.domain.trigger import OneShot, Trigger, fires_between, next_fire

PORTION = 10_000
"""The most due times judged at once; a longer backlog is judged in several decisions."""

AT_ONCE = 1_000
"""The most runs that one decision makes; what lies before them is set aside, to be made in portions."""

_JUST = timedelta(microseconds=1)
_YEARS = range(1970, 9998)
_EVER = datetime.min.replace(tzinfo=UTC) + timedelta(days=366)
MAX_LABELS = 64
MAX_LABEL_LENGTH = 63


@dataclass(frozen=True, slots=True)
class JobTarget:
    """A run of it is carried out by a worker that knows the job."""

    kind: ClassVar[str] = "JOB"

    job: JobTerms
    payload: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDefinition:
    """What a tenant says of a schedule. `start_at` (included) and `end_at` (excluded) bound `scheduled_for`."""

    name: str
    trigger: Trigger
    target: JobTarget
    tz: str
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    misfire: Misfire = field(default_factory=Misfire)
    start_at: datetime | None = None
    end_at: datetime | None = None
    max_runs: int | None = None

    def __post_init__(self) -> None:
        printable_name(self.name)
        _check_zone(self.tz)
        check_labels(self.labels)
        if len(self.description) > 2000:
            raise InvalidError("must have at most 2,000 characters", "description")
        for field_name, bound in (("startAt", self.start_at), ("endAt", self.end_at)):
            if bound is not None and bound.year not in _YEARS:
                raise InvalidError(f"must lie in the years {_YEARS[0]} to {_YEARS[-1]}", field_name)
        if self.start_at and self.end_at and self.end_at <= self.start_at:
            raise InvalidError("must be after startAt", "endAt")
        if self.max_runs is not None and self.max_runs < 1:
            raise InvalidError("must be at least 1", "maxRuns")

    def fires_like(self, other: ScheduleDefinition) -> bool:
        """Whether both have the same due times, bounds aside."""
        if isinstance(self.trigger, OneShot) and isinstance(other.trigger, OneShot):
            return self._one_instant() == other._one_instant()
        return self.trigger == other.trigger and self.tz == other.tz

    def _one_instant(self) -> datetime | None:
        return next_fire(self.trigger, self.tz, _EVER, _EVER)


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
    """What became of a schedule's due times up to an instant."""

    fire: tuple[DueTime, ...] = ()
    miss: Miss | None = None
    catch_up: CatchUp | None = None

    @property
    def count(self) -> int:
        """How many due times were decided."""
        spans = [each.span.count for each in (self.miss, self.catch_up) if each]
        return len(self.fire) + sum(spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSnapshot:
    """All that a reader sees of a schedule, at one moment."""

    id: ScheduleId
    tenant_id: TenantId
    definition: ScheduleDefinition
    enabled: bool
    next_fire_at: datetime | None
    last_fire_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleCreated(DomainEvent):
    type: ClassVar[str] = "schedule.created"
    schedule: ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleUpdated(DomainEvent):
    type: ClassVar[str] = "schedule.updated"
    schedule: ScheduleSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEnabled(DomainEvent):
    type: ClassVar[str] = "schedule.enabled"
    version: int
    next_fire_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDisabled(DomainEvent):
    type: ClassVar[str] = "schedule.disabled"
    version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDeleted(DomainEvent):
    type: ClassVar[str] = "schedule.deleted"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsMissed(DomainEvent):
    """Its subject is the schedule."""

    type: ClassVar[str] = "run.missed"
    span: Span
    rule: str


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
        schedule = cls(
            tenant_id=tenant_id,
            id=schedule_id,
            definition=definition,
            created_at=now,
            updated_at=now,
            enabled=enabled,
        )
        schedule._arm(now)
        schedule._record(
            ScheduleCreated(tenant_id=tenant_id, subject=schedule_id, at=now, schedule=schedule.snapshot())
        )
        return schedule

    # Changes. Each takes a schedule whose due times up to `now` are decided (`decide`), so that the
    # new definition rules over later ones only.

    def change(self, definition: ScheduleDefinition, *, now: datetime) -> None:
        """A definition equal to the present one changes nothing."""
        if definition == self.definition:
            return
        rearm = not definition.fires_like(self.definition)
        self.definition = definition
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

    def decide(self, now: datetime) -> Decision:
        """Decides the due times that `now` has reached, at most PORTION of them, and looks ahead.

        Call again while `is_due`. What a full `max_runs` cuts off is no due time.
        """
        if not self.is_due(now):
            return Decision()
        due = list(islice(self._due_until(now), PORTION + 1))
        more_follow = len(due) > PORTION
        due = due[:PORTION]
        verdict = self.definition.misfire.judge(due, now, more_follow=more_follow)
        wanted = (*verdict.catch_up, *verdict.fire)[: self.runs_left]
        aside = max(min(len(verdict.catch_up), len(wanted)), len(wanted) - AT_ONCE)
        catch_up, fire = wanted[:aside], wanted[aside:]
        self.runs_made += len(wanted)
        if fire:
            self.last_fire_at = now
        self.decided_to = due[-1].scheduled_for
        self._look_ahead()
        return Decision(fire, self._missed(Span.over(verdict.missed), now), self._set_aside(Span.over(catch_up), now))

    def run_for(
        self, due: DueTime, run_id: RunId, *, now: datetime, epoch: int | None, cause: Cause = Cause.SCHEDULE
    ) -> Run:
        """The run of one due time; not yet accepted."""
        target = self.definition.target
        return new_run(
            self.tenant_id,
            run_id,
            target.job,
            cause,
            now=now,
            due_at=due.due_at,
            scheduled_for=due.scheduled_for,
            fired_at=now,
            schedule_id=self.id,
            payload=target.payload,
            labels=self.definition.labels,
            fired_epoch=epoch,
        )

    def due_times(self, after: datetime, until: datetime) -> Iterator[DueTime]:
        """The due times of the present definition with `scheduled_for` in (after, until]."""
        own = self.definition
        if own.start_at is not None:
            after = max(after, own.start_at - _JUST)
        if own.end_at is not None:
            until = min(until, own.end_at - _JUST)
        for instant in fires_between(own.trigger, own.tz, self._anchor, after, until):
            yield DueTime(instant, instant)

    def due_times_of(self, catch_up: CatchUp) -> Iterator[DueTime]:
        """Those that are still to be made, in order."""
        span = catch_up.span
        yield from self.due_times(catch_up.made_to or span.first - _JUST, span.last)

    def upcoming(self, after: datetime) -> Iterator[DueTime]:
        """The due times later than `after`, without end unless the definition has one."""
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
    def _anchor(self) -> datetime:
        return self.definition.start_at or self.created_at

    def _due_until(self, now: datetime) -> Iterator[DueTime]:
        assert self.next is not None
        yield self.next
        yield from self.due_times(self.next.scheduled_for, now)

    def _next_after(self, after: datetime) -> DueTime | None:
        own = self.definition
        if own.start_at is not None:
            after = max(after, own.start_at - _JUST)
        instant = next_fire(own.trigger, own.tz, self._anchor, after)
        if instant is None or (own.end_at is not None and instant >= own.end_at):
            return None
        return DueTime(instant, instant)

    def _arm(self, now: datetime) -> None:
        """No due time lies before this; a ONE_SHOT's may."""
        self.decided_to = None if isinstance(self.definition.trigger, OneShot) else now - _JUST
        self._look_ahead()

    def _decided(self, now: datetime) -> None:
        """All up to `now` is decided; a ONE_SHOT in a disabled schedule may still wait behind it."""
        if not isinstance(self.definition.trigger, OneShot):
            self.decided_to = max(now, self.decided_to or now)
        self._look_ahead()

    def _look_ahead(self) -> None:
        spent = not self.enabled or self.runs_left == 0
        self.next = None if spent else self._next_after(self.decided_to or _EVER)

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


def check_labels(labels: dict[str, str]) -> None:
    """Raises InvalidError naming the label; keys and values have at most 63 characters."""
    if len(labels) > MAX_LABELS:
        raise InvalidError(f"at most {MAX_LABELS} labels", "labels")
    for key, value in labels.items():
        if not 1 <= len(key) <= MAX_LABEL_LENGTH or not key.isprintable():
            raise InvalidError("a label's key must have 1 to 63 printable characters", f"labels.{key[:80]}")
        if len(value) > MAX_LABEL_LENGTH or not value.isprintable():
            raise InvalidError("a label must have at most 63 printable characters", f"labels.{key}")


def _check_zone(tz: str) -> None:
    try:
        load_zone(tz)
    except InvalidError as error:
        raise error.under("tz") from error
