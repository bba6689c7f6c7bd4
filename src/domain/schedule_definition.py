"""What a tenant says of a schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rota.domain.calendars.settling import OnClosed
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId, printable_name
from rota.domain.labels import check_labels
from rota.domain.misfire import Misfire
from rota.domain.overlap import Overlap
from rota.domain.target import Target
from rota.domain.terms import check_priority
from rota.domain.time.zone import YEARS, load_zone
from rota.domain.trigger import FixedDelay, Ground, OnBusinessDay, OneShot, OnEvent, Trigger

EVER = datetime.min.replace(tzinfo=UTC) + timedelta(days=366)
"""Before all that can be due, with room for any offset."""

LONGEST_JITTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CalendarRule:
    """By which calendar a schedule goes, and what becomes of its due times on closed days."""

    calendar_id: CalendarId
    on_closed: OnClosed = OnClosed.SKIP

    @property
    def moves(self) -> bool:
        return self.on_closed is not OnClosed.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDefinition:
    """What a tenant says of a schedule. `start_at` (included) and `end_at` (excluded) bound `scheduled_for`.

    `priority` None is the target's.
    """

    name: str
    trigger: Trigger
    target: Target
    tz: str
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    misfire: Misfire = field(default_factory=Misfire)
    start_at: datetime | None = None
    end_at: datetime | None = None
    max_runs: int | None = None
    overlap: Overlap = Overlap.ALLOW
    priority: int | None = None
    calendar: CalendarRule | None = None
    jitter: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        printable_name(self.name)
        _check_zone(self.tz)
        check_labels(self.labels)
        if len(self.description) > 2000:
            raise InvalidError("must have at most 2,000 characters", "description")
        for field_name, bound in (("startAt", self.start_at), ("endAt", self.end_at)):
            if bound is not None and bound.year not in YEARS:
                raise InvalidError(f"must lie in the years {YEARS[0]} to {YEARS[-1]}", field_name)
        if self.start_at and self.end_at and self.end_at <= self.start_at:
            raise InvalidError("must be after startAt", "endAt")
        if self.max_runs is not None and self.max_runs < 1:
            raise InvalidError("must be at least 1", "maxRuns")
        if self.priority is not None:
            check_priority(self.priority)
        self._check_jitter()
        self._check_calendar()

    def _check_jitter(self) -> None:
        if not timedelta(0) <= self.jitter <= LONGEST_JITTER:
            raise InvalidError("must be from 0 to 86,400", "jitterSec")
        if self.jitter and isinstance(self.trigger, OnEvent):
            raise InvalidError("has no meaning where an event is the trigger", "jitterSec")

    def _check_calendar(self) -> None:
        if self.calendar is None and isinstance(self.trigger, OnBusinessDay):
            raise InvalidError("is required: its open days are what the trigger counts", "calendar")
        if self.calendar is not None and isinstance(self.trigger, FixedDelay | OnEvent):
            raise InvalidError(f"has no meaning with a trigger of kind {self.trigger.kind}", "calendar")

    def fires_like(self, other: ScheduleDefinition) -> bool:
        """Whether both have the same due times, bounds aside."""
        if isinstance(self.trigger, OneShot) and isinstance(other.trigger, OneShot):
            return self._one_instant() == other._one_instant()
        counts_alike = not isinstance(self.trigger, OnBusinessDay) or self.calendar == other.calendar
        return self.trigger == other.trigger and self.tz == other.tz and counts_alike

    def places_like(self, other: ScheduleDefinition) -> bool:
        """Whether what both name is due at the same instants."""
        return self.calendar == other.calendar and self.jitter == other.jitter

    @property
    def waits_for_ends(self) -> bool:
        """Whether it matters to the schedule when a run of it ends."""
        return self.overlap is not Overlap.ALLOW or isinstance(self.trigger, FixedDelay)

    def _one_instant(self) -> datetime | None:
        return self.trigger.next_fire(EVER, Ground(load_zone(self.tz), EVER))


def _check_zone(tz: str) -> None:
    try:
        load_zone(tz)
    except InvalidError as error:
        raise error.under("tz") from error
