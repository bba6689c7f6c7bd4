"""Redrives in the store, each with the list of its dead letters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rota.domain.ids import RedriveId, RunId, TenantId
from rota.domain.redrive import Redrive


class Redrives(Protocol):
    """Those of all tenants. What was handed out is stored at commit, as it then is."""

    async def add(self, redrive: Redrive) -> int:
        """Lists the dead letters that it wants, the oldest first, at most `most`; answers how many.

        Those of which another run is a retry are left out.
        """
        ...

    async def get(self, tenant_id: TenantId, redrive_id: RedriveId) -> Redrive:
        """Locked. Raises NotFoundError."""
        ...

    async def ready(self, now: datetime) -> Redrive | None:
        """The RUNNING one whose pace has allowed its next run for the longest; locked.

        One that somebody else works on is passed over.
        """
        ...

    async def letters(self, redrive: Redrive, limit: int) -> Sequence[RunId]:
        """The first dead letters beyond `reached`, in order."""
        ...

    async def retried(self, tenant_id: TenantId, runs: Iterable[RunId]) -> Collection[RunId]:
        """Those of which another run is a retry. For as long as they are locked nobody adds one to them."""
        ...

    async def link(self, redrive: Redrive, made: Mapping[RunId, RunId]) -> None:
        """Keeps the new run of each dead letter."""
        ...

    async def dead(self, redrive: Redrive) -> int:
        """How many of its new runs are DEAD."""
        ...
