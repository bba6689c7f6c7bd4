"""How a worker looks to those outside, and what it is told."""

from __future__ import annotations

from rota.application.ports.bus import Control
from rota.application.views.values import View
from rota.domain.worker import WorkerSnapshot


def worker_view(worker: WorkerSnapshot) -> View:
    return {
        "id": worker.id,
        "tenantId": worker.tenant_id,
        "name": worker.name,
        "state": worker.state,
        "jobs": list(worker.jobs),
        "capabilities": list(worker.capabilities),
        "slots": worker.slots,
        "running": worker.running,
        "lastSeenAt": worker.last_seen_at,
    }


def control_view(order: Control) -> View:
    return {"kind": order.kind, "runId": order.run_id, "attempt": order.attempt, "reason": order.reason}
