"""What a process tells of itself: bootstrap says where each number is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rota.application.tally import Histogram

CALLS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class PoolUse:
    """One pool of database connections; `waits` and `waited_sec` since the process began."""

    name: str
    size: int
    used: int
    waits: int
    waited_sec: float


@dataclass(frozen=True, slots=True)
class BusUse:
    """`failures` counts messages that were not acknowledged, by who published them and what became of them."""

    is_up: bool
    losses: int
    failures: Mapping[tuple[str, str], int] = field(default_factory=dict)


def _no_pools() -> Sequence[PoolUse]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Each is read at the moment of the scrape. `leads` says of each lease whether this process holds it."""

    pools: Callable[[], Sequence[PoolUse]] = _no_pools
    bus: Callable[[], BusUse] = lambda: BusUse(is_up=False, losses=0)
    leads: Callable[[], Mapping[str, bool]] = dict
    followers: Callable[[], int] = int
    roles: frozenset[str] = frozenset()
    version: str = ""


class Calls:
    """HTTP requests, by method, route and class of status; the routes are the API's own, and few."""

    def __init__(self) -> None:
        self.by_kind: dict[tuple[str, str, str], Histogram] = {}

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        kind = (method, route, f"{status // 100}xx")
        if kind not in self.by_kind:
            self.by_kind[kind] = Histogram(CALLS)
        self.by_kind[kind].observe(seconds)
