"""How much there is of what changes all the time, as the store knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from rota.domain.run_events import RunState
from rota.domain.worker import WorkerState


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Runs that could be carried out and wait for it, of all tenants' queues of that name; `queue` is None for
    deliveries. `oldest` is how long the first of them has waited.
    """

    queue: str | None
    depth: int
    oldest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreNumbers:
    """Of all tenants together. `runs` holds the states that are not final.

    `is_complete` is False where more runs wait than are counted: then each number of runs is a least one.
    `slots` and `used` are those of workers that are not OFFLINE. `epochs` are the leases', by name.
    """

    runs: Mapping[RunState, int] = field(default_factory=dict)
    queues: Sequence[QueueDepth] = ()
    is_complete: bool = True
    workers: Mapping[WorkerState, int] = field(default_factory=dict)
    slots: int = 0
    used: int = 0
    relay_lag: timedelta = timedelta(0)
    epochs: Mapping[str, int] = field(default_factory=dict)


class AskNumbers(Protocol):
    async def __call__(self) -> StoreNumbers:
        """Raises UnavailableError."""
        ...
