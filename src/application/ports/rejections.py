"""Reports that were not taken, for those who look for the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from rota.application.ports.reads import Page, Paging
from rota.application.ports.store import Rejected
from rota.domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected report as it was kept."""

    id: UUID
    at: datetime
    report: Rejected


class Rejections(Protocol):
    async def page(self, tenant_id: TenantId, paging: Paging[UUID]) -> Page[Rejection]:
        """Newest first."""
        ...
