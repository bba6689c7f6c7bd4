"""/metrics"""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families
from tests.support.builders import a_job, a_run
from tests.support.stored import store
from tests.unit.http.conftest import Served

from rota.domain.run_events import RunState
from rota.infrastructure.memory.store import InMemoryBegin


def read(answer: httpx.Response) -> dict[str, float]:
    families = text_string_to_metric_families(answer.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


async def test_the_service_in_numbers(served: Served, acme: httpx.AsyncClient) -> None:
    job = a_job()
    await store(InMemoryBegin(served.store), job, a_run(RunState.QUEUED, job=job))

    answer = await acme.get("/metrics")

    found = read(answer)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert (found["rota_leader"], found["rota_lonely_jobs"], found["rota_audit_differences"]) == (0, 1, 0)
    assert (found["rota_relay_lag_events"], found["rota_workers"]) == (0, 0)
