"""/workers"""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest
from tests.support.builders import ACME
from tests.unit.http.conftest import Json, Served, errors

from rota.domain.ids import WorkerId
from rota.domain.worker import ReportSeq

RANDOM = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
async def worker(acme: httpx.AsyncClient, job: Json) -> Json:
    return (await acme.post("/workers/register", json={"jobs": [{"name": "reports.daily"}], "slots": 4})).json()


async def test_a_worker_is_told_where_its_work_is(acme: httpx.AsyncClient, job: Json) -> None:
    said = {
        "name": "mill-1",
        "jobs": [
            {"name": "reports.daily"},
            {"name": "mail", "queue": "slow", "timeoutSec": 5, "retry": {"maxAttempts": 1}},
        ],
        "capabilities": ["gpu"],
        "slots": 4,
    }

    answer = await acme.post("/workers/register", json=said)

    told = answer.json()
    jobs = {item["name"]: item for item in (await acme.get("/jobs")).json()["items"]}
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/workers/{told['workerId']}"
    assert told == {
        "workerId": told["workerId"],
        "tenantId": "acme",
        "natsUrl": "nats://bus:4222",
        "credentials": {"user": "worker", "password": "pass"},
        "heartbeatSec": 3.0,
        "lanes": [
            {"job": name, "stream": "ROTA_WORK", "consumer": f"acme-{jobs[name]['id']}"}
            for name in ("reports.daily", "mail")
        ],
    }
    assert (jobs["mail"]["queue"], jobs["mail"]["timeoutSec"], jobs["mail"]["retry"]["maxAttempts"]) == ("slow", 5, 1)
    assert (await acme.get(f"/workers/{told['workerId']}")).json() == {
        "id": told["workerId"],
        "tenantId": "acme",
        "name": "mill-1",
        "state": "ONLINE",
        "jobs": ["reports.daily", "mail"],
        "capabilities": ["gpu"],
        "slots": 4,
        "running": 0,
        "lastSeenAt": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"slots": 0}, "slots"),
        ({"slots": 10_001}, "slots"),
        ({"slots": "4"}, "slots"),
        ({"name": "a\x00"}, "name"),
        ({"jobs": None}, "jobs"),
        ({"jobs": [{"name": "a"}] * 1001}, "jobs"),
        ({"jobs": [{"name": "a"}, {"name": "a"}]}, "jobs.1.name"),
        ({"jobs": [{"name": "a"}, {"name": "b", "queue": "No"}]}, "jobs.1.queue"),
        ({"jobs": [{"name": "a", "retry": {"notOn": ["x", ""]}}]}, "jobs.0.retry.notOn.1"),
        ({"jobs": [{"name": "a", "priority": 0}]}, "jobs.0.priority"),
        ({"capabilities": ["\x00"]}, "capabilities.0"),
        ({"queues": []}, "queues"),
    ],
)
async def test_a_bad_field_of_a_registration_is_named(
    served: Served, acme: httpx.AsyncClient, wrong: Json, field: str
) -> None:
    answer = await acme.post("/workers/register", json={"jobs": [{"name": "mail"}], "slots": 4} | wrong)

    assert (answer.status_code, list(errors(answer))) == (422, [field])
    assert not served.store.tables.events


async def test_while_the_bus_is_down_nobody_registers(served: Served, acme: httpx.AsyncClient) -> None:
    served.lanes.up = False

    answer = await acme.post("/workers/register", json={"jobs": [{"name": "mail"}], "slots": 4})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"] == "urn:rota:error:unavailable"


async def test_a_heartbeat_is_kept_and_answered_with_orders(
    served: Served, acme: httpx.AsyncClient, worker: Json
) -> None:
    place = f"/workers/{worker['workerId']}"
    said = {
        "workerId": worker["workerId"],
        "at": "2026-01-01T00:00:00.5Z",
        "slots": 4,
        "running": [RANDOM],
        "reportSeq": {"stream": "2026-01-01T00:00:00.123456789Z", "seq": 7},
    }

    calm = await acme.post(f"{place}/heartbeat", json=said)
    drained = await acme.post(f"{place}/drain", json={})
    told = await acme.post(f"{place}/heartbeat", json=said)
    obeyed = await acme.post(f"{place}/heartbeat", json=said | {"draining": True})

    assert (calm.status_code, calm.json()) == (200, [])
    assert (drained.status_code, drained.json()["state"]) == (202, "DRAINING")
    assert told.json() == [{"kind": "DRAIN", "runId": None, "attempt": None, "reason": "asked to drain"}]
    assert obeyed.json() == []
    beat = served.store.tables.workers[ACME, WorkerId(UUID(worker["workerId"]))].beat
    assert beat is not None
    assert beat.report_seq == ReportSeq("2026-01-01T00:00:00.123456+00:00", 7)
    assert [control.kind for _, _, control in served.control.told] == ["DRAIN"]


async def test_an_unknown_worker_and_anothers_must_register(
    acme: httpx.AsyncClient, globex: httpx.AsyncClient, worker: Json
) -> None:
    beat = {"slots": 1, "running": []}

    unknown = await acme.post(f"/workers/{RANDOM}/heartbeat", json=beat)
    foreign = await globex.post(f"/workers/{worker['workerId']}/heartbeat", json=beat)

    assert (unknown.status_code, [order["kind"] for order in unknown.json()]) == (200, ["REGISTER"])
    assert foreign.content == unknown.content


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"workerId": RANDOM}, "workerId"),
        ({"workerId": "x"}, "workerId"),
        ({"slots": -1}, "slots"),
        ({"running": ["x"]}, "running.0"),
        ({"reportSeq": {"stream": "x", "seq": 1}}, "reportSeq.stream"),
        ({"reportSeq": {"stream": "2026-01-01T00:00:00Z", "seq": -1}}, "reportSeq.seq"),
        ({"at": "now"}, "at"),
        ({"mood": "good"}, "mood"),
    ],
)
async def test_a_bad_field_of_a_heartbeat_is_named(
    acme: httpx.AsyncClient, worker: Json, wrong: Json, field: str
) -> None:
    answer = await acme.post(f"/workers/{worker['workerId']}/heartbeat", json={"slots": 1, "running": []} | wrong)

    assert (answer.status_code, list(errors(answer))) == (422, [field])


async def test_workers_are_listed_newest_first(acme: httpx.AsyncClient, worker: Json) -> None:
    other = (await acme.post("/workers/register", json={"jobs": [], "slots": 1})).json()

    listed = await acme.get("/workers")

    assert [item["id"] for item in listed.json()["items"]] == [other["workerId"], worker["workerId"]]
