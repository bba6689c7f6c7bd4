"""Rejected reports, newest first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.ports.reads import Page, Paging
from rota.application.ports.rejections import Rejection
from rota.application.ports.store import Rejected
from rota.domain.ids import TenantId
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.pages import page_of
from rota.infrastructure.postgres.tables import rejected_reports


class PostgresRejections:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, tenant_id: TenantId, paging: Paging[UUID]) -> Page[Rejection]:
        own = select(rejected_reports).where(rejected_reports.c.tenant_id == tenant_id)
        part = own.order_by(rejected_reports.c.id.desc())
        if paging.after is not None:
            part = part.where(rejected_reports.c.id < paging.after)
        async with transaction(self._engine) as connection:
            return await page_of(connection, own, part, paging, _to_rejection, lambda item: item.id)


def _to_rejection(row: Row[Any]) -> Rejection:
    report = Rejected(
        tenant_id=row.tenant_id,
        reason=row.reason,
        run_id=row.run_id,
        attempt=row.attempt,
        worker_id=row.worker_id,
        kind=row.kind,
        body=row.body,
    )
    return Rejection(row.id, row.at, report)
