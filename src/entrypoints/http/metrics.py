"""/metrics: the service in numbers, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest
from starlette.responses import Response

from rota.application.ask_store_health import AskStoreHealth
from rota.application.ports.health import StoreHealth
from rota.entrypoints.http.caller import AnyReader, Wired
from rota.entrypoints.http.parameters import NO_PARAMETERS

router = APIRouter(tags=["health"])

TEXT: dict[int | str, dict[str, Any]] = {  # Any: OpenAPI
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "What was asked for"},
}


@router.get("/metrics", responses=TEXT, dependencies=[NO_PARAMETERS])
async def read_metrics(_: AnyReader, services: Wired) -> Response:
    """Prometheus text. Of the whole service and all tenants, whichever process is asked."""
    registry = CollectorRegistry()
    for name, told, value in _gauges(await services.bus.handle(AskStoreHealth())):
        Gauge(f"rota_{name}", told, registry=registry).set(value)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_1_0_0)


def _gauges(store: StoreHealth) -> Iterator[tuple[str, str, float]]:
    yield "leader", "1 if a process leads, else 0", store.has_leader
    yield "relay", "1 if a process relays events to the bus, else 0", store.has_relay
    yield "relay_lag_events", "Events that the bus has not been given yet", store.relay_lag
    yield "workers", "Workers that are not offline", store.workers
    yield "lonely_jobs", "Jobs with runs that wait and no worker that does them", store.lonely_jobs
    audit = store.audit
    yield "audit_differences", "Due times found amiss by the auditor in the last day", audit.differences
    yield "audit_schedules", "Schedules looked at in the auditor's last whole round", audit.schedules
    yield "audit_uncovered_schedules", "Of these, those without a second opinion", audit.uncovered
    yield "audit_due_times", "Due times judged in the auditor's last whole round", audit.due_times
    yield "audit_round_seconds", "How long the auditor's last whole round took", audit.took_sec
