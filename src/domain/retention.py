"""Retention: how long what is over is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rota.domain.errors import InvalidError
from rota.domain.ids import RunId, TenantId
from rota.domain.run_events import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """What retention judges of a run. `kept_for` is its job's own word on it, which wins over any other."""

    id: RunId
    state: RunState
    finished_at: datetime
    kept_for: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long a tenant's finished runs are kept, from their end; None is for ever. A run's events go with it.

    `events` is for those of schedules and jobs: once so old they go, if a later one tells the whole definition.
    """

    succeeded: timedelta | None = timedelta(days=30)
    cancelled: timedelta | None = timedelta(days=30)
    skipped: timedelta | None = timedelta(days=30)
    dead: timedelta | None = timedelta(days=90)
    events: timedelta | None = timedelta(days=30)

    def __post_init__(self) -> None:
        for name in ("succeeded", "cancelled", "skipped", "dead", "events"):
            age: timedelta | None = getattr(self, name)
            if age is not None and age < timedelta(0):
                raise InvalidError("an age cannot be negative", name)

    def of(self, state: RunState) -> timedelta | None:
        """Of what is not final, none: it is kept."""
        match state:
            case RunState.SUCCEEDED:
                return self.succeeded
            case RunState.CANCELLED:
                return self.cancelled
            case RunState.SKIPPED:
                return self.skipped
            case RunState.DEAD:
                return self.dead
        return None

    @property
    def shortest(self) -> timedelta | None:
        """The first at which a run may go; None if none ever does."""
        ages = (self.succeeded, self.cancelled, self.skipped, self.dead)
        return min((age for age in ages if age is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """`tenants` have ages of their own, wholly. The five below are the service's own and the same for all."""

    ages: Ages = field(default_factory=Ages)
    tenants: Mapping[TenantId, Ages] = field(default_factory=dict)
    rejected_reports: timedelta = timedelta(days=7)
    offline_workers: timedelta = timedelta(days=7)
    redrives: timedelta = timedelta(days=90)
    backfills: timedelta = timedelta(days=90)
    differences: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        for name in ("rejected_reports", "offline_workers", "redrives", "backfills", "differences"):
            if getattr(self, name) < timedelta(0):
                raise InvalidError("an age cannot be negative", name)

    def ages_of(self, tenant_id: TenantId) -> Ages:
        return self.tenants.get(tenant_id, self.ages)

    def is_over(self, tenant_id: TenantId, run: FinishedRun, now: datetime) -> bool:
        """Whether the run need not be kept any longer."""
        age = self.ages_of(tenant_id).of(run.state) if run.kept_for is None else run.kept_for
        return age is not None and run.finished_at + age <= now

    def shortest(self, tenant_id: TenantId, by_a_job: timedelta | None) -> timedelta | None:
        """No run of the tenant goes before it is so old. `by_a_job` is the shortest of its jobs' own words."""
        ages = (self.ages_of(tenant_id).shortest, by_a_job)
        return min((age for age in ages if age is not None), default=None)
