"""What every aggregate shares: identity, the events it has recorded, and how many are stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from rota.domain.ids import TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """Something that happened to one aggregate. `type` is `<aggregate>.<event>` of the contract."""

    type: ClassVar[str]

    tenant_id: TenantId
    subject: UUID
    at: datetime
    correlation_id: str | None = None
    traceparent: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Aggregate:
    """Guards one rule-bound cluster. `seq` counts the events that are stored; new ones follow it."""

    tenant_id: TenantId
    seq: int = 0
    _recorded: list[DomainEvent] = field(default_factory=list, repr=False)
    _altered: bool = field(default=False, repr=False)

    def _record(self, event: DomainEvent) -> None:
        self._recorded.append(event)

    def _alter(self) -> None:
        """Something changed that is nobody's news: it is stored, and no event tells of it."""
        self._altered = True

    def pull_events(self) -> list[DomainEvent]:
        """The events recorded since the last call, oldest first; hands each over once."""
        recorded, self._recorded, self._altered = self._recorded, [], False
        return recorded

    @property
    def is_changed(self) -> bool:
        return self._altered or bool(self._recorded)

    @property
    def next_seq(self) -> int:
        """What `seq` will be once the recorded events are stored."""
        return self.seq + len(self._recorded)
