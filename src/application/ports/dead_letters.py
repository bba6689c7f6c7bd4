"""Dead letters as their readers see them: in groups of those that failed alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rota.application.ports.reads import Page, Paging
from rota.domain.ids import RedriveId, TenantId
from rota.domain.redrive import LetterFilter, Redrive
from rota.domain.run import Run


@dataclass(frozen=True, slots=True, order=True)
class GroupPlace:
    """Where a group stands in the list."""

    count: int
    last: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadGroup:
    """Dead letters of one fingerprint: `first` and `last` are when they died, `example` is the newest."""

    fingerprint: str
    count: int
    first: datetime
    last: datetime
    example: Run

    @property
    def place(self) -> GroupPlace:
        return GroupPlace(self.count, self.last, self.fingerprint)


@dataclass(frozen=True, slots=True)
class RedriveLook:
    """A redrive, and how many of its new runs are DEAD."""

    redrive: Redrive
    dead: int


class DeadLetters(Protocol):
    """All of one tenant. Runs of which another run is a retry count only where it is said."""

    async def groups(
        self, tenant_id: TenantId, wanted: LetterFilter, paging: Paging[GroupPlace], *, retried: bool = False
    ) -> Page[DeadGroup]:
        """The biggest first, of equals the latest."""
        ...

    async def count(self, tenant_id: TenantId, wanted: LetterFilter, most: int) -> int:
        """Counts no further than `most`."""
        ...

    async def redrive(self, tenant_id: TenantId, redrive_id: RedriveId) -> RedriveLook:
        """Raises NotFoundError."""
        ...
