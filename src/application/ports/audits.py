"""The auditor's book: what is on record, how far it has looked, and what it found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rota.application.ports.keys import ScheduleKey
from rota.domain.audit.account import Account
from rota.domain.audit.round import AuditRound, Difference


class Audits(Protocol):
    """Each call is one short transaction that locks nothing."""

    async def round(self, now: datetime) -> AuditRound:
        """The present one; it begins now if there was none."""
        ...

    async def accounts(self, after: ScheduleKey | None, horizon: datetime, limit: int) -> Sequence[Account]:
        """Those of the next schedules beyond `after`, in order of tenants and ids, at one moment.

        Each from where it was audited to, by the definition that was in force there. Deleted schedules that were
        audited to their end are left out.
        """
        ...

    async def removed_to(self, keys: Collection[ScheduleKey]) -> Mapping[ScheduleKey, datetime]:
        """The latest due time of which retention has removed a run; those without are left out."""
        ...

    async def keep(
        self, audited_to: Mapping[ScheduleKey, datetime], found: Sequence[Difference], standing: AuditRound
    ) -> None:
        """A difference that is kept already stays as it was."""
        ...
