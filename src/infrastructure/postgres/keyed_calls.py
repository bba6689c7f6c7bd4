"""Calls with an idempotency key: one row each."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rota.application.json import dump, load
from rota.application.ports.keyed_calls import HELD, KEPT, CallKey, Claim, KeptAnswer
from rota.domain.errors import KeyInFlightError, KeyReusedError
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import keyed_calls

# A claim that a crash of the database loses is no loss: what was done under it is written behind it, and lost too.
_UNSYNCED = text("SELECT set_config('synchronous_commit', 'off', true)")

_LOOKS = 3


class PostgresKeyedCalls:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, call: CallKey, asked: bytes, now: datetime) -> Claim | KeptAnswer:
        for _ in range(_LOOKS):
            async with transaction(self._engine) as connection:
                await connection.execute(_UNSYNCED)
                claim = await _claimed(connection, call, asked, now)
                found = claim or await _standing(connection, call, asked)
            if found is not None:
                return found
        raise KeyInFlightError

    async def finish(self, claim: Claim, answer: KeptAnswer) -> None:
        async with transaction(self._engine) as connection:
            await connection.execute(update(keyed_calls).where(_is_held(claim)).values(**_row(answer)))

    async def give_up(self, claim: Claim) -> None:
        async with transaction(self._engine) as connection:
            await connection.execute(delete(keyed_calls).where(_is_held(claim)))


class PostgresAnswers:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._kept: list[tuple[Claim, KeptAnswer]] = []

    def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        self._kept.append((claim, answer))

    async def write(self) -> None:
        """Raises KeyInFlightError."""
        for claim, answer in self._kept:
            given = update(keyed_calls).where(_is_held(claim)).values(**_row(answer))
            if (await self._connection.execute(given)).rowcount == 0:
                raise KeyInFlightError


async def _claimed(connection: AsyncConnection, call: CallKey, asked: bytes, now: datetime) -> Claim | None:
    """None if somebody has the key: while it is being answered, this waits for the end of that."""
    claim = Claim(call, uuid4())
    free = or_(
        keyed_calls.c.made_at <= now - KEPT,
        and_(keyed_calls.c.status.is_(None), keyed_calls.c.held_until <= now),
    )
    own = {"asked": asked, "holder": claim.holder, "held_until": now + HELD, "made_at": now}
    unanswered = {"status": None, "headers": None, "body": None}
    taking = (
        insert(keyed_calls)
        .values(tenant_id=call.tenant_id, method=call.method, path=call.path, key=call.key, **own)
        .on_conflict_do_update(constraint=keyed_calls.primary_key, set_=own | unanswered, where=free)
        .returning(keyed_calls.c.holder)
    )
    return claim if await connection.scalar(taking) is not None else None


async def _standing(connection: AsyncConnection, call: CallKey, asked: bytes) -> KeptAnswer | None:
    """None if it was given up meanwhile. Raises KeyReusedError, KeyInFlightError."""
    row = (await connection.execute(select(keyed_calls).where(_is(call)))).one_or_none()
    if row is None:
        return None
    if row.asked != asked:
        raise KeyReusedError
    if row.status is None:
        raise KeyInFlightError
    return KeptAnswer(row.status, load(row.headers), row.body)


def _is(call: CallKey) -> ColumnElement[bool]:
    return and_(
        keyed_calls.c.tenant_id == call.tenant_id,
        keyed_calls.c.method == call.method,
        keyed_calls.c.path == call.path,
        keyed_calls.c.key == call.key,
    )


def _is_held(claim: Claim) -> ColumnElement[bool]:
    return and_(_is(claim.call), keyed_calls.c.holder == claim.holder, keyed_calls.c.status.is_(None))


def _row(answer: KeptAnswer) -> dict[str, Any]:  # Any: column values
    return {"status": answer.status, "headers": dump(dict(answer.headers)), "body": answer.body}
