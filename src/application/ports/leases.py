"""Leases, judged by the database's clock: who leads, and which carriers are alive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rota.domain.ids import WorkerId


@dataclass(frozen=True, slots=True)
class Term:
    """One holder's unbroken time; `epoch` rises by one with each change of holder."""

    epoch: int
    is_new: bool


class Leases(Protocol):
    async def hold(self, name: str, holder: str, length: timedelta) -> Term | None:
        """Takes the lease if it is free or renews it if it is ours; None if another holds it."""
        ...

    async def release(self, name: str, holder: str) -> None:
        """Frees it at once if it is ours."""
        ...

    async def epoch(self, name: str) -> int:
        """The latest epoch, 0 before the first."""
        ...


def carrier_lease(carrier: WorkerId) -> str:
    """The lease that a process which carries out deliveries holds for as long as it lives."""
    return f"carrier:{carrier}"
