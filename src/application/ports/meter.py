"""Who counts what this process has done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from rota.domain.aggregate import Aggregate, DomainEvent

Recorded: TypeAlias = tuple[Aggregate, int, DomainEvent]
"""An event, the aggregate that it happened to as it stands now, and which of its events it is: 1 is the first."""


class Meter(Protocol):
    """Told once for each transaction, after its commit; it must be quick, and it raises nothing."""

    def committed(self, recorded: Sequence[Recorded], rejected: int) -> None:
        """What happened, oldest first, and how many reports changed nothing."""
        ...


class NoMeter:
    """For those whose doings nobody counts."""

    def committed(self, recorded: Sequence[Recorded], rejected: int) -> None: ...


NO_METER = NoMeter()
