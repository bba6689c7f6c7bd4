"""Dead letters, read from what is committed."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from rota.application.ports.dead_letters import DeadGroup, GroupPlace, RedriveLook
from rota.domain.errors import NotFoundError
from rota.domain.ids import RedriveId, TenantId
from rota.domain.redrive import LetterFilter
from rota.domain.run import Run
from rota.infrastructure.memory.letters import letters
from rota.infrastructure.memory.redrives import dead_of
from rota.infrastructure.memory.runs import handed_out
from rota.infrastructure.memory.tables import InMemoryStore


class InMemoryDeadLetters:
    def __init__(self, store: InMemoryStore) -> None:
        self._tables = store.tables

    async def groups(
        self, tenant_id: TenantId, wanted: LetterFilter, limit: int, after: GroupPlace | None, *, retried: bool = False
    ) -> Sequence[DeadGroup]:
        alike: dict[str, list[Run]] = {}
        for run in letters(self._tables, tenant_id, wanted, retried=retried):
            alike.setdefault(run.fingerprint or "", []).append(run)
        groups = sorted((self._group(runs) for runs in alike.values()), key=_place, reverse=True)
        return [each for each in groups if after is None or _place(each) < _of(after)][:limit]

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


def _place(group: DeadGroup) -> tuple[object, ...]:
    return _of(group.place)


def _of(place: GroupPlace) -> tuple[object, ...]:
    return (place.count, place.last, place.fingerprint)
