"""What the bus should hold, as the store knows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from rota.application.ports.bus import Lane
from rota.application.ports.keys import RunKey
from rota.domain.run import Run


class QueuedRuns(Protocol):
    """The runs that should be on the bus, for the day the bus has lost some."""

    async def lanes(self, queued_before: datetime) -> Sequence[tuple[Lane, int]]:
        """Each lane with runs QUEUED since before that instant, and how many."""
        ...

    async def page(self, queued_since: datetime, after: RunKey | None, limit: int) -> Sequence[Run]:
        """Runs QUEUED since then, ordered by key, from beyond `after`."""
        ...

    async def send_anew(
        self, queued_before: datetime, lane: Lane | None, after: RunKey | None, limit: int
    ) -> Sequence[Run]:
        """The runs still QUEUED since before that instant, each with one more in `sends`; one lane, or all.

        Ordered by key, from beyond `after`.
        """
        ...
