"""/runs/counts and /reports/rejected"""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_schedule, errors

from rota.application.ports.store import Rejected
from rota.domain.ids import RunId, TenantId
from rota.domain.run_events import RunState
from rota.infrastructure.memory.store import InMemoryBegin

SOMEBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


async def test_runs_are_counted_by_state(served: Served, acme: httpx.AsyncClient, job: Json) -> None:
    await acme.post("/jobs", json={"name": "mail"})
    schedule = (await acme.post("/schedules", json=a_schedule())).json()
    await acme.post(f"/schedules/{schedule['id']}/trigger")
    await acme.post("/runs/batch", json=[{"job": "mail"}] * 2)
    served.store.tables.removed_runs[TenantId("acme"), job["id"], None, RunState.SUCCEEDED] += 70

    async def counted(**query: Json) -> Json:
        return (await acme.get("/runs/counts", params=query)).json()

    whole = await counted()
    assert whole["complete"] is True
    assert whole["states"]["SUCCEEDED"] == 70
    assert sum(whole["states"].values()) == 73
    assert sum((await counted(job="mail"))["states"].values()) == 2
    assert sum((await counted(scheduleId=schedule["id"]))["states"].values()) == 1
    assert await counted(job="unknown") == {"states": {}, "complete": True}


@pytest.mark.parametrize("query", [{"scheduleId": "17"}, {"job": "a\x00"}, {"limit": "5"}])
async def test_a_bad_parameter_of_counts_is_named(acme: httpx.AsyncClient, query: Json) -> None:
    answer = await acme.get("/runs/counts", params=query)

    assert (answer.status_code, list(errors(answer))) == (422, list(query))


async def test_rejected_reports_are_listed_newest_first(
    served: Served, acme: httpx.AsyncClient, globex: httpx.AsyncClient
) -> None:
    acme_id, globex_id = TenantId("acme"), TenantId("globex")
    reports = [
        Rejected(tenant_id=acme_id, reason="not JSON", body="{"),
        Rejected(tenant_id=globex_id, reason="theirs"),
        Rejected(tenant_id=acme_id, reason="no such run", run_id=RunId(UUID(SOMEBODY)), attempt=1, kind="STARTED"),
    ]
    async with InMemoryBegin(served.store)() as work:
        work.reject(reports)
        await work.commit()

    answer = await acme.get("/reports/rejected")
    first = (await acme.get("/reports/rejected", params={"limit": 1})).json()
    second = (await acme.get("/reports/rejected", params={"limit": 1, "cursor": first["nextCursor"]})).json()

    newest, oldest = answer.json()["items"]
    assert newest == newest | {"reason": "no such run", "kind": "STARTED", "attempt": 1, "runId": SOMEBODY}
    assert oldest == oldest | {"reason": "not JSON", "body": "{", "runId": None, "at": "2026-01-01T00:00:00Z"}
    assert [*first["items"], *second["items"]] == [newest, oldest]
    assert [item["reason"] for item in (await globex.get("/reports/rejected")).json()["items"]] == ["theirs"]
    assert (await acme.get("/reports/rejected", params={"page": 2, "pageSize": 1})).json()["total"] == 2
