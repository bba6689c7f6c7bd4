"""One round over all schedules after the other, and what the last whole one has found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rota.domain.audit.account import Verdict
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.misfire import Span


class DifferenceKind(StrEnum):
    """MISSING: due times with neither run nor miss. EXTRA: runs of due times that are none."""

    MISSING = "MISSING"
    EXTRA = "EXTRA"


@dataclass(frozen=True, slots=True)
class Difference:
    """`span` counts the due times that differ; what lies between them may be right."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    kind: DifferenceKind
    span: Span
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Of one round: `schedules` were looked at, `uncovered` of them without a second opinion; `due_times` judged.

    `audited_to` is how far the one is that lies furthest behind; None if there was none.
    """

    schedules: int = 0
    uncovered: int = 0
    due_times: int = 0
    audited_to: datetime | None = None

    def with_verdicts(self, verdicts: Iterable[Verdict]) -> Coverage:
        found = list(verdicts)
        reached = [each.audited_to for each in found if each.is_covered]
        reached += [self.audited_to] if self.audited_to else []
        return Coverage(
            schedules=self.schedules + len(found),
            uncovered=self.uncovered + sum(not each.is_covered for each in found),
            due_times=self.due_times + sum(each.judged for each in found),
            audited_to=min(reached, default=None),
        )


@dataclass(slots=True, kw_only=True, eq=False)
class AuditRound:
    """The present round has come to `reached`, in order of tenants and ids; `last` is the one before."""

    began_at: datetime
    reached: tuple[TenantId, ScheduleId] | None = None
    present: Coverage = field(default_factory=Coverage)
    last: Coverage | None = None
    last_began_at: datetime | None = None
    last_ended_at: datetime | None = None

    def advance(self, reached: tuple[TenantId, ScheduleId], verdicts: Iterable[Verdict]) -> None:
        self.reached = reached
        self.present = self.present.with_verdicts(verdicts)

    def end(self, now: datetime) -> None:
        """Nothing is left: the next round begins."""
        self.last, self.last_began_at, self.last_ended_at = self.present, self.began_at, now
        self.began_at, self.reached, self.present = now, None, Coverage()
