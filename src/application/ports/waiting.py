"""The line of runs whose time has come, and what keeps one waiting in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rota.application.ports.keys import LaneKey
from rota.domain.delivery import is_delivery_lane
from rota.domain.ids import JobId, TenantId
from rota.domain.run import Run
from rota.domain.terms import RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLane:
    """A lane in which runs wait for their turn, what is under way in it, and its limits as they are now.

    `waiting` is counted up to a bound only, `running` only where it is limited (else it is 0). `spent_until` is the
    rate limit's memory (`RateLimit`).
    """

    tenant_id: TenantId
    lane: str
    waiting: int
    queued: int
    running: int
    max_concurrent: int | None
    rate_limit: RateLimit | None
    spent_until: datetime | None

    @property
    def key(self) -> LaneKey:
        return (self.tenant_id, self.lane)

    @property
    def is_delivery(self) -> bool:
        return is_delivery_lane(self.lane)


@dataclass(frozen=True, slots=True)
class ConcurrencyKey:
    """Of the runs that share one, one goes at a time."""

    tenant_id: TenantId
    job_id: JobId
    key: str


class Waiting(Protocol):
    """The runs whose time has come and that wait for their turn or at a gate."""

    async def hold(self) -> bool:
        """Until the end of the work nobody else gives turns; False if somebody else does already."""
        ...

    async def lanes(self, count_to: int) -> Sequence[WaitingLane]:
        """Every lane with runs that wait for their turn; `waiting` is counted up to `count_to`."""
        ...

    async def take(self, wanted: Mapping[LaneKey, int]) -> Sequence[Run]:
        """Of each lane the first that many in order of `rank`, locked; what others hold is passed over."""
        ...

    async def held(self, keys: Iterable[ConcurrencyKey]) -> Collection[ConcurrencyKey]:
        """Those with a run that is QUEUED or RUNNING."""
        ...

    async def spend(self, spent: Mapping[LaneKey, datetime]) -> None:
        """Keeps each lane's `spent_until`."""
        ...

    async def open_gates(self) -> int:
        """Behind each gate that is open the first run waits for its turn from now on; answers how many.

        `schedule_gate`: no unfinished run of the schedule stands before the gate. `key_gate`: no run with the same
        concurrency key is QUEUED or RUNNING.
        """
        ...

    async def queued(self, lanes: Iterable[LaneKey]) -> Mapping[LaneKey, int]:
        """How many runs are QUEUED in each."""
        ...
