"""How the service is, as its parts tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """`relay_lag` counts events not yet on the bus; `lonely_jobs` have queued runs and no worker."""

    has_leader: bool
    leader: str | None
    has_relay: bool
    relay_lag: int
    workers: int
    lonely_jobs: int


class AskStore(Protocol):
    async def __call__(self) -> StoreHealth:
        """Raises UnavailableError."""
        ...
