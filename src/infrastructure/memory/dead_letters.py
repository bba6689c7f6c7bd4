"""Dead letters, read from what is committed."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from rota.application.ports.dead_letters import DeadGroup, GroupPlace, RedriveLook
from rota.application.ports.reads import Page, Paging
from rota.domain.errors import NotFoundError
from rota.domain.ids import RedriveId, TenantId
from rota.domain.redrive import LetterFilter
from rota.domain.run import Run
from rota.infrastructure.memory.letters import letters
from rota.infrastructure.memory.pages import page_by
from rota.infrastructure.memory.redrives import dead_of
from rota.infrastructure.memory.runs import handed_out
from rota.infrastructure.memory.tables import InMemoryStore


class InMemoryDeadLetters:
    def __init__(self, store: InMemoryStore) -> None:
        self._tables = store.tables

    async def groups(
        self, tenant_id: TenantId, wanted: LetterFilter, paging: Paging[GroupPlace], *, retried: bool = False
    ) -> Page[DeadGroup]:
        alike: dict[str, list[Run]] = {}
        for run in letters(self._tables, tenant_id, wanted, retried=retried):
            alike.setdefault(run.fingerprint or "", []).append(run)
        return page_by(map(self._group, alike.values()), paging, lambda group: group.place, falls=True)

    async def count(self, tenant_id: TenantId, wanted: LetterFilter, most: int) -> int:
        return min(len(letters(self._tables, tenant_id, wanted)), most)

    async def redrive(self, tenant_id: TenantId, redrive_id: RedriveId) -> RedriveLook:
        found = self._tables.redrives.get((tenant_id, redrive_id))
        if found is None:
            raise NotFoundError("redrive", redrive_id)
        return RedriveLook(copy(found), dead_of(self._tables, (tenant_id, redrive_id)))

    def _group(self, runs: Sequence[Run]) -> DeadGroup:
        died = [run.finished_at for run in runs if run.finished_at is not None]
        return DeadGroup(
            fingerprint=runs[0].fingerprint or "",
            count=len(runs),
            first=min(died),
            last=max(died),
            example=handed_out(self._tables.jobs, runs[-1]),
        )
