"""Calls with an idempotency key, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from rota.application.ports.keyed_calls import HELD, KEPT, CallKey, Claim, KeptAnswer
from rota.domain.errors import KeyInFlightError, KeyReusedError
from rota.infrastructure.memory.tables import InMemoryStore, KeyedCall, Tables


class InMemoryKeyedCalls:
    def __init__(self, store: InMemoryStore) -> None:
        self._rows = store.tables.keyed_calls
        self._tables = store.tables

    async def claim(self, call: CallKey, asked: bytes, now: datetime) -> Claim | KeptAnswer:
        row = self._rows.get(call)
        if row is None or row.made_at <= now - KEPT or (row.answer is None and row.held_until <= now):
            holder = uuid4()
            self._rows[call] = KeyedCall(asked=asked, holder=holder, held_until=now + HELD, made_at=now)
            return Claim(call, holder)
        if row.asked != asked:
            raise KeyReusedError
        if row.answer is None:
            raise KeyInFlightError
        return row.answer

    async def finish(self, claim: Claim, answer: KeptAnswer) -> None:
        if is_held(self._tables, claim):
            self._rows[claim.call] = replace(self._rows[claim.call], answer=answer)

    async def give_up(self, claim: Claim) -> None:
        if is_held(self._tables, claim):
            del self._rows[claim.call]


class InMemoryAnswers:
    def __init__(self, store: InMemoryStore) -> None:
        self._tables = store.tables
        self._kept: list[tuple[Claim, KeptAnswer]] = []

    def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        self._kept.append((claim, answer))

    def stage(self) -> None:
        if not all(is_held(self._tables, claim) for claim, _ in self._kept):
            raise KeyInFlightError

    def publish(self) -> None:
        for claim, answer in self._kept:
            self._tables.keyed_calls[claim.call] = replace(self._tables.keyed_calls[claim.call], answer=answer)
        self._kept.clear()


def is_held(tables: Tables, claim: Claim) -> bool:
    row = tables.keyed_calls.get(claim.call)
    return row is not None and row.holder == claim.holder and row.answer is None
