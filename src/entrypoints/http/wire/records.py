"""Counts of runs, and rejected reports, on the wire."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from rota.application.ports.rejections import Rejection
from rota.application.ports.run_counts import Counted
from rota.application.views.values import View
from rota.domain.ids import ScheduleId
from rota.domain.run_events import RunState
from rota.entrypoints.http.wire.base import Answer, Name
from rota.entrypoints.http.wire.lists import ListQuery, Parameters


class CountsQuery(Parameters):
    job: Name | None = None
    schedule_id: UUID | None = None

    def of_schedule(self) -> ScheduleId | None:
        return ScheduleId(self.schedule_id) if self.schedule_id else None


class CountsOut(Answer):
    """With what was removed long ago. `complete` is false where there are more runs than are counted: of those that
    are still stored, only the tenant's newest are.
    """

    states: dict[RunState, int]
    complete: bool


class RejectionsQuery(ListQuery):
    """Newest first."""


class RejectionOut(Answer):
    """`kind`, `runId`, `attempt` and `workerId` are what the report said, where it could be read; else `body` is it."""

    id: UUID
    at: datetime
    reason: str
    kind: str | None
    run_id: UUID | None
    attempt: int | None
    worker_id: UUID | None
    body: str | None


def counts_view(counted: Counted) -> View:
    return {"states": {state.value: count for state, count in counted.states.items()}, "complete": counted.is_complete}


def rejection_view(rejection: Rejection) -> View:
    report = rejection.report
    return {
        "id": rejection.id,
        "at": rejection.at,
        "reason": report.reason,
        "kind": report.kind,
        "runId": report.run_id,
        "attempt": report.attempt,
        "workerId": report.worker_id,
        "body": report.body,
    }
