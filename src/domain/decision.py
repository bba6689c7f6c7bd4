"""What becomes of a schedule's due times, once it is decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rota.domain.ids import ScheduleId, TenantId
from rota.domain.misfire import DueTime, Span


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
