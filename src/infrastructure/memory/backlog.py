"""What an outage leaves behind, in memory: misses, and catch-ups that are still to be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rota.domain.decision import CatchUp, Miss
from rota.infrastructure.memory.locks import Holder
from rota.infrastructure.memory.tables import Draft, InMemoryStore, SpanKey


class InMemoryMisses:
    def __init__(self, store: InMemoryStore) -> None:
        self._rows = Draft(store.tables.misses)
        self._added: list[Miss] = []

    def add(self, miss: Miss) -> None:
        self._added.append(miss)

    def stage(self) -> None:
        """A miss that is recorded already stays as it was."""
        for miss in self._added:
            key = _key(miss)
            if self._rows.get(key) is None:
                self._rows.put(key, miss)

    def publish(self) -> None:
        self._rows.publish()


class InMemoryCatchUps:
    def __init__(self, store: InMemoryStore, holder: Holder) -> None:
        self._locks = store.locks
        self._holder = holder
        self._rows = Draft(store.tables.catch_ups)
        self._added: list[CatchUp] = []

    def add(self, catch_up: CatchUp) -> None:
        self._added.append(catch_up)

    async def oldest(self, most: int) -> Sequence[CatchUp]:
        by_age = sorted(self._rows.items(), key=lambda item: (item[1].decided_at, *item[0][1:]))
        rows = dict(by_age)
        return [rows[key] for key in self._locks.take_free("catch-up", rows, self._holder, most)]

    async def move(self, catch_up: CatchUp, made_to: datetime) -> None:
        self._rows.put(_key(catch_up), replace(catch_up, made_to=made_to))

    async def finish(self, catch_ups: Sequence[CatchUp]) -> None:
        for catch_up in catch_ups:
            self._rows.remove(_key(catch_up))

    def stage(self) -> None:
        """One that is set aside already stays as it was."""
        for catch_up in self._added:
            if self._rows.get(_key(catch_up)) is None:
                self._rows.put(_key(catch_up), catch_up)

    def publish(self) -> None:
        self._rows.publish()


def _key(of: Miss | CatchUp) -> SpanKey:
    return (of.tenant_id, of.schedule_id, of.span.first)
