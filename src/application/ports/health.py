"""How the service is, as its parts tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHealth:
    """Of the auditor's last whole round, which ended at `ended_at` (None: there was none yet), and how long it took.

    `schedules` were looked at, `uncovered` of them without a second opinion; each other one up to `audited_to` at
    least. `differences` were found in the last day.
    """

    ended_at: datetime | None = None
    took_sec: float = 0.0
    schedules: int = 0
    uncovered: int = 0
    due_times: int = 0
    audited_to: datetime | None = None
    differences: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """`relay_lag` counts events not yet on the bus; `lonely_jobs` have queued runs and no worker."""

    has_leader: bool
    leader: str | None
    has_relay: bool
    relay_lag: int
    workers: int
    lonely_jobs: int
    audit: AuditHealth = field(default_factory=AuditHealth)


class AskStore(Protocol):
    async def __call__(self) -> StoreHealth:
        """Raises UnavailableError."""
        ...
