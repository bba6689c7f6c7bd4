"""Backfills on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from rota.application.backfill_schedule import MAX_CONCURRENT, BackfillSchedule
from rota.application.ports.backfills import BackfillLook
from rota.application.views.values import View
from rota.domain.backfill import MOST_CONCURRENT, BackfillState
from rota.domain.ids import ScheduleId, TenantId
from rota.entrypoints.http.wire.base import (
    Answer,
    Body,
    Instant,
    Note,
    Whole,
    bounds,
)


class BackfillIn(Body):
    """`from` (included) and `to` (not) judge `scheduledFor`; `to` is at most now."""

    from_: Instant = Field(alias="from")
    to: Instant
    max_concurrent: Annotated[Whole, bounds(1, MOST_CONCURRENT)] = MAX_CONCURRENT
    dry_run: bool = False

    def to_command(self, tenant: TenantId, schedule: ScheduleId) -> BackfillSchedule:
        return BackfillSchedule(
            tenant_id=tenant,
            schedule_id=schedule,
            since=self.from_,
            until=self.to,
            max_concurrent=self.max_concurrent,
            is_dry=self.dry_run,
        )


class CancelBackfillIn(Body):
    reason: Note = ""


class BackfillAskedOut(Answer):
    id: UUID
    count: int


class WouldBackfillOut(Answer):
    """What a dry run found: how many due times have no run."""

    count: int


class BackfillOut(Answer):
    """Of `count` due times `made` have a run of this backfill; the rest tells what has become of these runs."""

    id: UUID
    tenant_id: str
    schedule_id: UUID
    state: BackfillState
    from_: datetime = Field(alias="from")
    to: datetime
    max_concurrent: int
    count: int
    made: int
    unfinished: int
    succeeded: int
    dead: int
    cancelled: int
    reached: datetime | None
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


def backfill_view(look: BackfillLook) -> View:
    backfill = look.backfill
    return {
        "id": backfill.id,
        "tenantId": backfill.tenant_id,
        "scheduleId": backfill.schedule_id,
        "state": backfill.state,
        "from": backfill.since,
        "to": backfill.until,
        "maxConcurrent": backfill.max_concurrent,
        "count": backfill.count,
        "made": backfill.made,
        "unfinished": look.unfinished,
        "succeeded": look.succeeded,
        "dead": look.dead,
        "cancelled": look.cancelled,
        "reached": backfill.reached,
        "reason": backfill.reason,
        "createdAt": backfill.created_at,
        "finishedAt": backfill.finished_at,
    }
