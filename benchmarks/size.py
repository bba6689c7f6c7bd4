"""How much of everything; what a benchmark is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RUNS = 10_000
IDLE_PER_RUN = 10
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """`runs` scales everything; 10,000 is what the goals are stated for."""

    runs: int = RUNS
    is_million: bool = False

    @property
    def is_whole(self) -> bool:
        return self.runs >= RUNS

    @property
    def idle(self) -> int:
        return MILLION if self.is_million else self.runs * IDLE_PER_RUN

    @property
    def rounds(self) -> int:
        return 3 if self.is_whole else 1

    @property
    def precision_seconds(self) -> int:
        return 60 if self.is_whole else 10

    @property
    def watch_seconds(self) -> int:
        return 30 if self.is_whole else 10


@dataclass(frozen=True, slots=True)
class Bench:
    """`directory` is fresh, and others may pass through it; `say` tells how far it is."""

    size: Size
    directory: Path
    say: Callable[[str], None]
    is_profiled: bool = False
