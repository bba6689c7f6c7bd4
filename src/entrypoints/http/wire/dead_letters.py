"""Dead letters and redrives on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from rota.application.ports.dead_letters import DeadGroup, GroupPlace, RedriveLook
from rota.application.ports.reads import Paging
from rota.application.redrive_runs import RedriveRuns, WouldRedrive
from rota.application.views.values import RawJson, View
from rota.domain.ids import ScheduleId, TenantId
from rota.domain.redrive import MOST, QUICKEST, SLOWEST, LetterFilter, RedriveState, RedriveTerms
from rota.entrypoints.http.wire.base import (
    Answer,
    Body,
    Instant,
    Name,
    Note,
    PayloadOrNull,
    Whole,
    Wire,
    bounds,
    inside,
)
from rota.entrypoints.http.wire.lists import Fingerprint, Flag, Label, PagedQuery, labels_of
from rota.entrypoints.http.wire.workers import Id


class DeadQuery(PagedQuery):
    """`from` (included) and `to` (excluded) judge `scheduledFor`; `redriven` counts those too that were retried."""

    job: Name | None = None
    schedule_id: UUID | None = None
    label: list[Label] = Field(default_factory=list)
    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None
    redriven: Flag = False

    def wanted(self) -> LetterFilter:
        return LetterFilter(
            job=self.job,
            schedule_id=ScheduleId(self.schedule_id) if self.schedule_id else None,
            labels=labels_of(self.label),
            since=self.from_,
            until=self.to,
        )

    def paging(self) -> Paging[GroupPlace]:
        """Raises InvalidError."""
        return self.paging_by(_read_place)


def _read_place(text: str) -> GroupPlace:
    count, last, fingerprint = text.split(" ")
    return GroupPlace(int(count), datetime.fromisoformat(last), fingerprint)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class LetterFilterIn(Wire):
    """All that is said must hold; `{}` is all dead letters. `from` (included) and `to` judge `scheduledFor`."""

    fingerprint: Fingerprint | None = None
    job: Name | None = None
    schedule_id: Id | None = None
    label: Annotated[list[Label], BeforeValidator(_listed)] = Field(default_factory=list)
    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None

    def to_filter(self) -> LetterFilter:
        """Raises InvalidError."""
        return LetterFilter(
            fingerprint=self.fingerprint,
            job=self.job,
            schedule_id=ScheduleId(self.schedule_id) if self.schedule_id else None,
            labels=labels_of(self.label),
            since=self.from_,
            until=self.to,
        )


class RedriveIn(Body):
    """Which dead letters, how many new runs a second, how many at most, and after how many that die again it stops.

    A payload, be it null, replaces theirs: then the filter must name their job or their fingerprint.
    """

    filter: LetterFilterIn
    per_sec: Annotated[float, bounds(SLOWEST, QUICKEST)] = 50.0
    max: Annotated[Whole, bounds(1, MOST)] = 10_000
    stop_after: Annotated[Whole, bounds(1, MOST)] = 10
    payload: PayloadOrNull = None
    dry_run: bool = False

    def to_command(self, tenant: TenantId) -> RedriveRuns:
        """Raises InvalidError."""
        with inside("filter"):
            wanted = self.filter.to_filter()
        return RedriveRuns(
            tenant_id=tenant,
            wanted=wanted,
            terms=RedriveTerms(per_sec=self.per_sec, most=self.max, stop_after=self.stop_after),
            payload=self.payload,
        )


class CancelRedriveIn(Body):
    reason: Note = ""


class DeadGroupOut(Answer):
    """Dead letters that failed alike: `first` and `last` are when they died, the example is the newest run."""

    fingerprint: str
    job: str | None
    target: str
    error_type: str | None
    message: str | None
    count: int
    first: datetime
    last: datetime
    example_run_id: UUID


class WouldRedriveOut(Answer):
    """What a dry run found: how many it would take, and the biggest groups that they are of."""

    count: int
    groups: list[DeadGroupOut]


class RedriveAskedOut(Answer):
    id: UUID
    count: int


class LetterFilterOut(Answer):
    fingerprint: str | None
    job: str | None
    schedule_id: UUID | None
    label: list[str]
    from_: datetime | None = Field(alias="from")
    to: datetime | None


class RedriveOut(Answer):
    """Of `count` dead letters `made` have a new run, `passed` were passed over; `dead` new runs are DEAD again."""

    id: UUID
    tenant_id: str
    state: RedriveState
    count: int
    made: int
    passed: int
    dead: int
    reason: str | None
    filter: LetterFilterOut
    per_sec: float
    max: int
    stop_after: int
    payload: Any
    created_at: datetime
    finished_at: datetime | None


def place_text(place: GroupPlace) -> str:
    return f"{place.count} {place.last.isoformat()} {place.fingerprint}"


def group_view(group: DeadGroup) -> View:
    run = group.example
    return {
        "fingerprint": group.fingerprint,
        "job": run.job and run.job.name,
        "target": "JOB" if run.delivery is None else run.delivery.receiver.kind,
        "errorType": run.error and run.error.type,
        "message": run.error and run.error.message,
        "count": group.count,
        "first": group.first,
        "last": group.last,
        "exampleRunId": run.id,
    }


def would_redrive_view(would: WouldRedrive) -> View:
    return {"count": would.count, "groups": [group_view(group) for group in would.groups]}


def redrive_view(look: RedriveLook) -> View:
    redrive = look.redrive
    return {
        "id": redrive.id,
        "tenantId": redrive.tenant_id,
        "state": redrive.state,
        "count": redrive.count,
        "made": redrive.made,
        "passed": redrive.passed,
        "dead": look.dead,
        "reason": redrive.reason,
        "filter": _filter_view(redrive.wanted),
        "perSec": redrive.terms.per_sec,
        "max": redrive.terms.most,
        "stopAfter": redrive.terms.stop_after,
        "payload": RawJson(redrive.payload),
        "createdAt": redrive.created_at,
        "finishedAt": redrive.finished_at,
    }


def _filter_view(wanted: LetterFilter) -> View:
    return {
        "fingerprint": wanted.fingerprint,
        "job": wanted.job,
        "scheduleId": wanted.schedule_id,
        "label": [f"{key}:{value}" for key, value in (wanted.labels or {}).items()],
        "from": wanted.since,
        "to": wanted.until,
    }
