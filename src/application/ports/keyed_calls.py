"""Calls that carry an idempotency key: each is carried out once, and its first answer is the answer.

    claimed   somebody carries it out, until `held_until` at the latest: should he die, another may claim it then
    answered  the answer is kept, for as long as the key counts

A claim is stored on its own, before the work begins; the answer is stored in the transaction of the effect, and only
while the claim is held. So an effect without its answer cannot be, nor can two effects, however slow their callers are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from rota.domain.ids import TenantId

KEPT: Final = timedelta(hours=24)
"""How long a key counts, from its first call on."""

HELD: Final = timedelta(seconds=30)
"""How long a claim holds off others. Whoever takes longer can lose it, and then does nothing."""


@dataclass(frozen=True, slots=True)
class CallKey:
    """Where a key counts: the same one elsewhere is another."""

    tenant_id: TenantId
    method: str
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it went out; `headers` are those that belong to it, in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a call and to answer it, which one holder has at a time."""

    call: CallKey
    holder: UUID


class KeyedCalls(Protocol):
    async def claim(self, call: CallKey, asked: bytes, now: datetime) -> Claim | KeptAnswer:
        """Ours to carry out, or its first answer. `asked` stands for all that was asked for.

        Raises KeyReusedError if something else was asked for by this key, KeyInFlightError while another holds it.
        """
        ...

    async def finish(self, claim: Claim, answer: KeptAnswer) -> None:
        """Keeps the answer of a call that changed nothing (else: `Answers`). Nothing if the claim is not held."""
        ...

    async def give_up(self, claim: Claim) -> None:
        """The key is free again, unless the call was answered or the claim is not held."""
        ...


class Answers(Protocol):
    """Of one unit of work."""

    def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        """Stored at commit, which raises KeyInFlightError, and stores nothing at all, if the claim is not held."""
        ...
