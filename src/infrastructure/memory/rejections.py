"""Rejected reports in memory, with the time at which they were kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from rota.application.ports.reads import Page, Paging
from rota.application.ports.rejections import Rejection
from rota.application.ports.store import Rejected
from rota.domain.ids import TenantId
from rota.infrastructure.memory.pages import page_of
from rota.infrastructure.memory.tables import InMemoryStore

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rejection(store: InMemoryStore, report: Rejected) -> Rejection:
    """The store has no clock but its ids, which carry the time at which they were made."""
    own_id = store.ids()
    return Rejection(own_id, EPOCH + timedelta(milliseconds=own_id.int >> 80), report)


class InMemoryRejections:
    def __init__(self, store: InMemoryStore) -> None:
        self._tables = store.tables

    async def page(self, tenant_id: TenantId, paging: Paging[UUID]) -> Page[Rejection]:
        return page_of((each for each in self._tables.rejections if each.report.tenant_id == tenant_id), paging)
