"""How the service is, in memory."""

from __future__ import annotations

from rota.application.ports.health import AuditHealth, StoreHealth
from rota.application.ports.log import Cursors
from rota.domain.worker import WorkerState
from rota.infrastructure.memory.leases import InMemoryLeases
from rota.infrastructure.memory.tables import InMemoryStore


class InMemoryHealth:
    def __init__(self, store: InMemoryStore, leases: InMemoryLeases, cursors: Cursors) -> None:
        self._tables = store.tables
        self._leases = leases
        self._cursors = cursors

    async def __call__(self) -> StoreHealth:
        workers = [row.worker for row in self._tables.workers.values()]
        offered = {(each.tenant_id, name) for each in workers if each.state is WorkerState.ONLINE for name in each.jobs}
        wanted = {
            (run.tenant_id, run.job.name) for run in self._tables.unfinished.values() if run.is_queued and run.job
        }
        relayed = await self._cursors.read("relay")
        return StoreHealth(
            has_leader=self._leases.is_held("leader"),
            leader=self._leases.holder("leader"),
            has_relay=self._leases.is_held("relay"),
            relay_lag=max(self._tables.last_position - (relayed.position if relayed else 0), 0),
            workers=sum(1 for each in workers if each.state is not WorkerState.OFFLINE),
            lonely_jobs=len(wanted - offered),
            audit=self._audit(),
        )

    def _audit(self) -> AuditHealth:
        standing, differences = self._tables.audit_round, len(self._tables.audit_differences)
        last = None if standing is None else standing.last
        if standing is None or last is None or standing.last_ended_at is None or standing.last_began_at is None:
            return AuditHealth(differences=differences)
        return AuditHealth(
            ended_at=standing.last_ended_at,
            took_sec=(standing.last_ended_at - standing.last_began_at).total_seconds(),
            schedules=last.schedules,
            uncovered=last.uncovered,
            due_times=last.due_times,
            audited_to=last.audited_to,
            differences=differences,
        )
