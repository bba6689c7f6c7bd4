"""/health, /ready, /live"""

from __future__ import annotations

import httpx
from tests.unit.http.conftest import Served

from rota.entrypoints.http.services import Check, Health, HealthStatus


async def test_health_tells_of_each_part(served: Served, acme: httpx.AsyncClient) -> None:
    checks = {"database": Check(HealthStatus.UP), "relay": Check(HealthStatus.DEGRADED, {"detail": "9 behind"})}
    served.health = Health(HealthStatus.DEGRADED, checks)

    answer = await acme.get("/health")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "DEGRADED",
        "checks": {"database": {"status": "UP"}, "relay": {"status": "DEGRADED", "detail": "9 behind"}},
    }


async def test_whoever_runs_the_process_needs_no_token_to_ask_whether_it_lives(served: Served) -> None:
    async with served.client(None) as client:
        live, ready = await client.get("/live"), await client.get("/ready")

    assert (live.status_code, live.json()) == (200, {"status": "UP"})
    assert (ready.status_code, ready.json()) == (200, {"status": "UP"})


async def test_a_process_that_is_not_ready_lives_all_the_same(served: Served) -> None:
    served.ready = False
    async with served.client(None) as client:
        live, ready = await client.get("/live"), await client.get("/ready")

    assert live.status_code == 200
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
    assert ready.headers["content-type"] == "application/problem+json"
