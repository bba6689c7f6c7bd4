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
        "labels": {},
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


LIMITED = {
    "labels": {"team": "bi"},
    "retry": {
        "maxAttempts": 7,
        "notOn": ["ValueError", "billing.Declined"],
        "backoff": {"kind": "LINEAR", "initialSec": 0.5, "factor": 2.0, "maxSec": 60, "jitter": 0.0},
    },
    "timeoutSec": 30,
    "startBySec": 60,
    "deadlineSec": 3600.5,
    "heartbeatTimeoutSec": 10,
    "maxConcurrent": 3,
    "concurrencyKey": "/customer/id",
    "rateLimit": {"count": 100, "perSec": 60},
    "priority": -5,
    "payloadSchema": {"type": "object", "required": ["customer"]},
    "retentionSec": 86_400,
}


async def test_every_limit_is_kept_and_shown(acme: httpx.AsyncClient) -> None:
    made = await acme.post("/jobs", json={"name": "billing"} | LIMITED)

    assert made.status_code == 201, made.text
    assert {name: made.json()[name] for name in LIMITED} == LIMITED
    assert (await acme.get(f"/jobs/{made.json()['id']}")).json() == made.json()


async def test_null_is_no_limit(acme: httpx.AsyncClient) -> None:
    nulls = dict.fromkeys(LIMITED.keys() - {"labels", "retry", "timeoutSec", "priority"})

    made = await acme.post("/jobs", json={"name": "billing"} | nulls)

    assert made.status_code == 201, made.text
    assert {name: made.json()[name] for name in nulls} == nulls


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
        ({"retry": {"notOn": "ValueError"}}, "retry.notOn"),
        ({"retry": {"notOn": ["ValueError", ""]}}, "retry.notOn.1"),
        ({"retry": {"notOn": ["x" * 201]}}, "retry.notOn.0"),
        ({"retry": {"notOn": ["x"] * 101}}, "retry.notOn"),
        ({"retry": {"notOn": None}}, "retry.notOn"),
        ({"timeoutSec": 0}, "timeoutSec"),
        ({"timeoutSec": 1e9}, "timeoutSec"),
        ({"timeoutSec": 1e300}, "timeoutSec"),
        ({"startBySec": 0}, "startBySec"),
        ({"startBySec": "5"}, "startBySec"),
        ({"deadlineSec": 0}, "deadlineSec"),
        ({"deadlineSec": 1e9}, "deadlineSec"),
        ({"heartbeatTimeoutSec": -1}, "heartbeatTimeoutSec"),
        ({"heartbeatTimeoutSec": 1e-9}, "heartbeatTimeoutSec"),
        ({"maxConcurrent": 0}, "maxConcurrent"),
        ({"maxConcurrent": 1_000_001}, "maxConcurrent"),
        ({"maxConcurrent": 1.5}, "maxConcurrent"),
        ({"maxConcurrent": True}, "maxConcurrent"),
        ({"concurrencyKey": "customer"}, "concurrencyKey"),
        ({"concurrencyKey": ""}, "concurrencyKey"),
        ({"concurrencyKey": "/a~2"}, "concurrencyKey"),
        ({"concurrencyKey": "/a\x00"}, "concurrencyKey"),
        ({"concurrencyKey": "/" + "x" * 500}, "concurrencyKey"),
        ({"rateLimit": {"count": 1}}, "rateLimit.perSec"),
        ({"rateLimit": {"count": 0, "perSec": 1}}, "rateLimit.count"),
        ({"rateLimit": {"count": 1, "perSec": 0}}, "rateLimit.perSec"),
        ({"rateLimit": {"count": 1, "perSec": 1, "burst": 2}}, "rateLimit.burst"),
        ({"rateLimit": "1/s"}, "rateLimit"),
        ({"priority": 101}, "priority"),
        ({"priority": -101}, "priority"),
        ({"priority": 0.5}, "priority"),
        ({"priority": None}, "priority"),
        ({"payloadSchema": "object"}, "payloadSchema"),
        ({"payloadSchema": True}, "payloadSchema"),
        ({"payloadSchema": {"type": "objekt"}}, "payloadSchema.type"),
        ({"payloadSchema": {"title": "x" * 64 * 1024}}, "payloadSchema"),
        ({"labels": {"team": 17}}, "labels.team"),
        ({"labels": {"team": "x" * 64}}, "labels.team"),
        ({"retentionSec": -1}, "retentionSec"),
        ({"retentionSec": 1e12}, "retentionSec"),
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
