"""Redrives as rows, and the lists of their dead letters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, FromClause, Row, Select, Update, bindparam, func, insert, literal, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rota.application.json import dump, load
from rota.domain.errors import NotFoundError
from rota.domain.ids import RedriveId, RunId, ScheduleId, TenantId
from rota.domain.redrive import LetterFilter, Redrive, RedriveState, RedriveTerms
from rota.infrastructure.postgres.letters import DEAD, NEVER_RETRIED, letters
from rota.infrastructure.postgres.tables import redrive_runs, redrives, runs
from rota.infrastructure.postgres.types import Batch, Uuid
from rota.infrastructure.postgres.values import instant

_CHANGING = ("state", "count", "made", "passed", "reached", "reason", "next_at", "finished_at")


def to_redrive(row: Row[Any]) -> Redrive:
    return Redrive(
        tenant_id=row.tenant_id,
        id=row.id,
        wanted=_load_filter(row.wanted),
        terms=RedriveTerms(per_sec=row.per_sec, most=row.most, stop_after=row.stop_after),
        payload=row.payload,
        created_at=row.created_at,
        next_at=row.next_at,
        state=RedriveState(row.state),
        count=row._mapping["count"],
        made=row.made,
        passed=row.passed,
        reached=row.reached,
        reason=row.reason,
        finished_at=row.finished_at,
    )


def from_redrive(redrive: Redrive) -> dict[str, Any]:  # Any: column values
    return {
        "tenant_id": redrive.tenant_id,
        "id": redrive.id,
        "wanted": _dump_filter(redrive.wanted),
        "per_sec": redrive.terms.per_sec,
        "most": redrive.terms.most,
        "stop_after": redrive.terms.stop_after,
        "payload": redrive.payload,
        "state": redrive.state.value,
        "count": redrive.count,
        "made": redrive.made,
        "passed": redrive.passed,
        "reached": redrive.reached,
        "reason": redrive.reason,
        "created_at": redrive.created_at,
        "next_at": redrive.next_at,
        "finished_at": redrive.finished_at,
    }


def _dump_filter(wanted: LetterFilter) -> str:
    return dump(
        {
            "fingerprint": wanted.fingerprint,
            "job": wanted.job,
            "schedule_id": wanted.schedule_id,
            "labels": wanted.labels,
            "since": wanted.since,
            "until": wanted.until,
        }
    )


def _load_filter(text: str) -> LetterFilter:
    stored = load(text)
    return LetterFilter(
        fingerprint=stored["fingerprint"],
        job=stored["job"],
        schedule_id=stored["schedule_id"] and ScheduleId(UUID(stored["schedule_id"])),
        labels=stored["labels"],
        since=instant(stored["since"]),
        until=instant(stored["until"]),
    )


def _of(redrive: Redrive) -> Any:  # Any: SQLAlchemy's own generic
    return (redrives.c.tenant_id == redrive.tenant_id) & (redrives.c.id == redrive.id)


def _listed(redrive: Redrive) -> Any:  # Any: SQLAlchemy's own generic
    return (redrive_runs.c.tenant_id == redrive.tenant_id) & (redrive_runs.c.redrive_id == redrive.id)


def dead_of(tenant_id: TenantId, redrive_id: RedriveId) -> Select[int]:
    """Begins at the dead retries of the tenant (`runs_dead_again_idx`), which are few where things go well."""
    item = redrive_runs
    same = (
        item.c.tenant_id == runs.c.tenant_id,
        item.c.redrive_id == redrive_id,
        item.c.run_id == runs.c.retry_of,
        item.c.made_id == runs.c.id,
    )
    return (
        select(func.count())
        .select_from(runs.join(item, same[0] & same[1] & same[2] & same[3]))
        .where(runs.c.tenant_id == tenant_id, DEAD, runs.c.retry_of.is_not(None))
    )


def _link(incoming: FromClause) -> Update:
    same = [redrive_runs.c[name] == incoming.c[name] for name in ("tenant_id", "redrive_id", "run_id")]
    return update(redrive_runs).where(*same).values(made_id=incoming.c.made_id)


_LINK = Batch(_link, redrive_runs, "tenant_id", "redrive_id", "run_id", "made_id")
_RETRIED = select(runs.c.retry_of).where(
    runs.c.tenant_id == bindparam("tenant"),
    runs.c.retry_of == func.any(bindparam("runs", type_=ARRAY(Uuid))),
    runs.c.retry_of.is_not(None),
)


class PostgresRedrives:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._added: list[Redrive] = []
        self._seen: list[Redrive] = []

    async def add(self, redrive: Redrive) -> int:
        self._added.append(redrive)
        chosen = (
            select(runs.c.tenant_id, literal(redrive.id, Uuid), runs.c.id, null())
            .where(*letters(redrive.tenant_id, redrive.wanted), NEVER_RETRIED)
            .order_by(runs.c.id)
            .limit(redrive.terms.most)
        )
        listed = insert(redrive_runs).from_select(["tenant_id", "redrive_id", "run_id", "made_id"], chosen)
        done = await self._connection.execute(listed)
        return done.rowcount

    async def get(self, tenant_id: TenantId, redrive_id: RedriveId) -> Redrive:
        query = select(redrives).where(redrives.c.tenant_id == tenant_id, redrives.c.id == redrive_id)
        row = (await self._connection.execute(query.with_for_update())).one_or_none()
        if row is None:
            raise NotFoundError("redrive", redrive_id)
        return self._keep(row)

    async def ready(self, now: datetime) -> Redrive | None:
        query = (
            select(redrives)
            .where(redrives.c.state == "RUNNING", redrives.c.next_at <= now)
            .order_by(redrives.c.next_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else self._keep(row)

    async def letters(self, redrive: Redrive, limit: int) -> Sequence[RunId]:
        query = select(redrive_runs.c.run_id).where(_listed(redrive))
        if redrive.reached is not None:
            query = query.where(redrive_runs.c.run_id > redrive.reached)
        found = await self._connection.scalars(query.order_by(redrive_runs.c.run_id).limit(limit))
        return [RunId(run_id) for run_id in found]

    async def retried(self, tenant_id: TenantId, runs: Iterable[RunId]) -> Collection[RunId]:
        found = await self._connection.scalars(_RETRIED, {"tenant": tenant_id, "runs": list(runs)})
        return set(found)

    async def link(self, redrive: Redrive, made: Mapping[RunId, RunId]) -> None:
        if not made:
            return
        given: dict[str, list[Any]] = {  # Any: column values
            "tenant_id": [redrive.tenant_id] * len(made),
            "redrive_id": [redrive.id] * len(made),
            "run_id": list(made),
            "made_id": list(made.values()),
        }
        await self._connection.execute(*_LINK(given))

    async def dead(self, redrive: Redrive) -> int:
        return await self._connection.scalar(dead_of(redrive.tenant_id, redrive.id)) or 0

    async def write(self) -> None:
        if self._added:
            await self._connection.execute(insert(redrives), [from_redrive(each) for each in self._added])
        for redrive in self._seen:
            values = from_redrive(redrive)
            changed = {name: values[name] for name in _CHANGING}
            await self._connection.execute(update(redrives).where(_of(redrive)).values(changed))

    def _keep(self, row: Row[Any]) -> Redrive:
        redrive = to_redrive(row)
        self._seen.append(redrive)
        return redrive
