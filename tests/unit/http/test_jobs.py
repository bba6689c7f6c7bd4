"""/jobs"""

from __future__ import annotations

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_schedule, errors


async def test_a_job_is_made_with_the_contracts_defaults(acme: httpx.AsyncClient) -> None:
    made = await acme.post("/jobs", json={"name": "reports.daily"})

    job = made.json()
    assert made.status_code == 201
    assert (made.headers["location"], made.headers["etag"]) == (f"/api/v1/jobs/{job['id']}", '"1"')
    assert job == {
        "id": job["id"],
        "tenantId": "acme",
        "name": "reports.daily",
        "queue": "default",
        "capabilities": [],
        "retry": {
            "maxAttempts": 3,
            "notOn": [],
            "backoff": {"kind": "EXPONENTIAL", "initialSec": 1, "factor": 2.0, "maxSec": 3600, "jitter": 0.1},
        },
        "timeoutSec": 300,
        "startBySec": None,
        "deadlineSec": None,
        "heartbeatTimeoutSec": None,
        "maxConcurrent": None,
        "concurrencyKey": None,
        "rateLimit": None,
        "priority": 0,
        "payloadSchema": None,
        "retentionSec": None,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "version": 1,
    }
    assert (await acme.get(f"/jobs/{job['id']}")).json() == job


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"queue": "No Queue"}, "queue"),
        ({"capabilities": ["gpu", ""]}, "capabilities.1"),
        ({"capabilities": "gpu"}, "capabilities"),
        ({"retry": {"maxAttempts": 0}}, "retry.maxAttempts"),
        ({"retry": {"maxAttempts": 1001}}, "retry.maxAttempts"),
        ({"retry": {"backoff": {"kind": "RANDOM"}}}, "retry.backoff.kind"),
        ({"retry": {"backoff": {"initialSec": -1}}}, "retry.backoff.initialSec"),
        ({"retry": {"backoff": {"maxSec": 1e300}}}, "retry.backoff.maxSec"),
        ({"retry": {"backoff": {"jitter": 2}}}, "retry.backoff.jitter"),
        ({"retry": {"notOn": ["ValueError"]}}, "retry.notOn"),
        ({"timeoutSec": 0}, "timeoutSec"),
        ({"timeoutSec": 1e9}, "timeoutSec"),
        ({"timeoutSec": 1e300}, "timeoutSec"),
        ({"startBySec": 5}, "startBySec"),
        ({"deadlineSec": 5}, "deadlineSec"),
        ({"heartbeatTimeoutSec": 5}, "heartbeatTimeoutSec"),
        ({"maxConcurrent": 5}, "maxConcurrent"),
        ({"concurrencyKey": "/a"}, "concurrencyKey"),
        ({"rateLimit": {"count": 1, "perSec": 1}}, "rateLimit"),
        ({"priority": 1}, "priority"),
        ({"payloadSchema": {}}, "payloadSchema"),
        ({"retentionSec": 1}, "retentionSec"),
        ({"bogus": 1}, "bogus"),
    ],
)
async def test_a_bad_field_is_named(served: Served, acme: httpx.AsyncClient, wrong: Json, field: str) -> None:
    answer = await acme.post("/jobs", json={"name": "reports.daily"} | wrong)

    assert (answer.status_code, list(errors(answer))) == (422, [field])
    assert not served.store.tables.jobs


async def test_a_job_in_use_stays(acme: httpx.AsyncClient, job: Json) -> None:
    schedule = (await acme.post("/schedules", json=a_schedule())).json()

    in_use = await acme.delete(f"/jobs/{job['id']}")
    await acme.delete(f"/schedules/{schedule['id']}")
    free = await acme.delete(f"/jobs/{job['id']}")
    gone = await acme.get(f"/jobs/{job['id']}")

    assert (in_use.status_code, in_use.json()["type"]) == (409, "urn:rota:error:job-in-use")
    assert (free.status_code, gone.status_code) == (204, 404)


async def test_a_name_is_taken(acme: httpx.AsyncClient, job: Json) -> None:
    assert (await acme.post("/jobs", json={"name": "reports.daily"})).status_code == 409


async def test_jobs_are_found_by_prefix_and_queue(acme: httpx.AsyncClient, job: Json) -> None:
    await acme.post("/jobs", json={"name": "mail", "queue": "slow"})

    async def found(**query: str) -> list[str]:
        return [item["name"] for item in (await acme.get("/jobs", params=query)).json()["items"]]

    assert await found() == ["mail", "reports.daily"]
    assert await found(name="rep") == ["reports.daily"]
    assert await found(queue="slow") == ["mail"]
    assert await found(queue="slow", name="rep") == []
