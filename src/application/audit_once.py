"""The auditor looks at a batch of schedules: is on record what should have fired?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from rota.application.command import Message
from rota.application.ports.audits import Audits
from rota.application.ports.clock import Clock
from rota.application.ports.keys import ScheduleKey
from rota.application.ports.store import Begin
from rota.domain.audit.account import Account, Verdict, audit
from rota.domain.audit.round import Difference, DifferenceKind
from rota.domain.errors import NotFoundError
from rota.domain.misfire import Span

BATCH = 100
SETTLED = timedelta(minutes=1)
"""What was due more recently is left for the next round."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AuditOnce(Message[int]):
    """One batch; answers how many schedules it looked at: 0 ends a round."""


@dataclass(frozen=True, slots=True)
class AuditOnceHandler:
    """Differences are told before it is kept how far it has looked: after a crash they may be told twice."""

    audits: Audits
    begin: Begin
    clock: Clock

    async def __call__(self, command: AuditOnce) -> int:
        now = self.clock.now()
        standing = await self.audits.round(now)
        accounts = await self.audits.accounts(standing.reached, now - SETTLED, BATCH)
        if not accounts:
            standing.end(now)
            await self.audits.keep({}, [], standing)
            return 0
        verdicts = await self._without_removed(dict(zip(map(_key, accounts), await _all(accounts), strict=True)))
        found = [each for key, verdict in verdicts.items() for each in _differences(key, verdict, now)]
        for difference in found:
            await self._tell(difference)
        standing.advance(_key(accounts[-1]), verdicts.values())
        await self.audits.keep({key: verdict.audited_to for key, verdict in verdicts.items()}, found, standing)
        return len(accounts)

    async def _without_removed(self, verdicts: Mapping[ScheduleKey, Verdict]) -> Mapping[ScheduleKey, Verdict]:
        """Where retention has removed runs, nobody knows any more what ran: that is asked only where it matters."""
        doubtful = [key for key, verdict in verdicts.items() if verdict.missing]
        removed = await self.audits.removed_to(doubtful) if doubtful else {}
        return {key: _beyond(verdict, removed.get(key)) for key, verdict in verdicts.items()}

    async def _tell(self, difference: Difference) -> None:
        span = difference.span
        told = {"tenant": difference.tenant_id, "schedule": str(difference.schedule_id), "kind": difference.kind.value}
        log.error("audit_difference", **told, first=str(span.first), last=str(span.last), count=span.count)
        try:
            async with self.begin() as work:
                schedule = await work.schedules.get(difference.tenant_id, difference.schedule_id)
                schedule.note_difference(difference.kind.value, span, now=difference.found_at)
                await work.commit()
        except NotFoundError:  # deleted: its history is closed
            return


async def _all(accounts: Sequence[Account]) -> list[Verdict]:
    """Beside the loop's other work."""
    return await asyncio.to_thread(lambda: list(map(audit, accounts)))


def _beyond(verdict: Verdict, removed_to: datetime | None) -> Verdict:
    if removed_to is None:
        return verdict
    return replace(verdict, missing=tuple(due for due in verdict.missing if due > removed_to))


def _differences(key: ScheduleKey, verdict: Verdict, now: datetime) -> Iterator[Difference]:
    for kind, instants in ((DifferenceKind.MISSING, verdict.missing), (DifferenceKind.EXTRA, verdict.extra)):
        if instants:
            yield Difference(*key, kind, Span(min(instants), max(instants), len(instants)), now)


def _key(account: Account) -> ScheduleKey:
    return (account.schedule.tenant_id, account.schedule.id)
