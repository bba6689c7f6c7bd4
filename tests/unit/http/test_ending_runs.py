"""POST /runs/{id}/cancel and /retry, and what a run shows of them."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_delivery, errors

from rota.application.ports.bus import ReportMessage
from rota.entrypoints.bus.reports import to_take_reports

RANDOM = "01890a5d-ac96-774b-bcce-b302099a8057"


class Mill:
    """A worker of acme, and what it reports."""

    def __init__(self, served: Served, worker_id: str) -> None:
        self.id = worker_id
        self._served = served
        self._place = 0

    async def report(self, kind: str, run: Json, **more: Json) -> None:
        self._place += 1
        said = {"runId": run["id"], "attempt": run["attempt"], "workerId": self.id, "kind": kind} | more
        message = ReportMessage("scheduler.report.acme", json.dumps([said]).encode(), self._place)
        await self._served.services.bus.handle(to_take_reports([message]))


@pytest.fixture
async def mill(served: Served, acme: httpx.AsyncClient, job: Json) -> Mill:
    answer = await acme.post("/workers/register", json={"jobs": [{"name": "reports.daily"}], "slots": 1})
    return Mill(served, answer.json()["workerId"])


@pytest.fixture
async def running(acme: httpx.AsyncClient, mill: Mill) -> Json:
    run = (await acme.post("/runs", json={"job": "reports.daily", "payload": {"n": 1}})).json()
    await mill.report("STARTED", run)
    return (await acme.get(f"/runs/{run['id']}")).json()


async def test_a_run_that_waits_is_cancelled_at_once(served: Served, acme: httpx.AsyncClient, job: Json) -> None:
    waiting = (await acme.post("/runs", json={"job": "reports.daily", "runAt": "2026-02-01T00:00:00Z"})).json()

    answer = await acme.post(f"/runs/{waiting['id']}/cancel", json={"reason": "not needed"})

    assert answer.status_code == 202
    assert answer.json() == waiting | {
        "state": "CANCELLED",
        "reason": "not needed",
        "cancelRequestedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:00Z",
    }
    assert (await acme.get(f"/runs/{waiting['id']}")).json() == answer.json()


async def test_a_running_run_is_asked_then_has_heard_then_has_ended(
    served: Served, acme: httpx.AsyncClient, mill: Mill, running: Json
) -> None:
    asked = await acme.post(f"/runs/{running['id']}/cancel")
    served.clock.advance(timedelta(seconds=1))
    await mill.report("PROGRESS", running, cancelling=True)
    heard = (await acme.get(f"/runs/{running['id']}")).json()
    served.clock.advance(timedelta(seconds=1))
    await mill.report("CANCELLED", running)
    ended = (await acme.get(f"/runs/{running['id']}")).json()

    assert (asked.status_code, asked.json()["state"]) == (202, "RUNNING")
    assert (asked.json()["cancelRequestedAt"], asked.json()["cancelAcknowledgedAt"]) == ("2026-01-01T00:00:00Z", None)
    assert (heard["state"], heard["cancelAcknowledgedAt"]) == ("RUNNING", "2026-01-01T00:00:01Z")
    assert (ended["state"], ended["finishedAt"]) == ("CANCELLED", "2026-01-01T00:00:02Z")
    assert [attempt["outcome"] for attempt in ended["attempts"]] == ["CANCELLED"]


async def test_the_worker_is_told_at_once(served: Served, acme: httpx.AsyncClient, mill: Mill, running: Json) -> None:
    await acme.post(f"/runs/{running['id']}/cancel", json={"reason": "too late"})

    ((tenant, worker_id, order),) = served.control.told
    assert (tenant, worker_id) == ("acme", UUID(mill.id))
    assert (order.kind, order.run_id, order.attempt) == ("CANCEL", UUID(running["id"]), 1)


async def test_what_was_done_all_the_same_is_a_success(acme: httpx.AsyncClient, mill: Mill, running: Json) -> None:
    await acme.post(f"/runs/{running['id']}/cancel")
    await mill.report("SUCCEEDED", running, result=[3])

    run = (await acme.get(f"/runs/{running['id']}")).json()

    assert (run["state"], run["result"]) == ("SUCCEEDED", [3])
    assert run["cancelRequestedAt"] is not None


async def test_a_run_that_has_ended_cannot_be_cancelled(acme: httpx.AsyncClient, mill: Mill, running: Json) -> None:
    await mill.report("SUCCEEDED", running)

    answer = await acme.post(f"/runs/{running['id']}/cancel")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rota:error:transition")


async def test_a_run_that_has_ended_is_carried_out_once_more_as_a_new_run(
    acme: httpx.AsyncClient, mill: Mill, running: Json
) -> None:
    error = {"type": "KeyError", "message": "order 17", "stack": "Traceback …", "retryable": False}
    await mill.report("FAILED", running, error=error)
    dead = (await acme.get(f"/runs/{running['id']}")).json()

    answer = await acme.post(f"/runs/{dead['id']}/retry")

    new = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/runs/{new['id']}"
    assert (new["cause"], new["retryOf"], new["payload"]) == ("RETRY", dead["id"], {"n": 1})
    assert new["scheduledFor"] == dead["scheduledFor"]
    assert (dead["state"], len(dead["fingerprint"])) == ("DEAD", 16)
    assert dead["attempts"][0]["error"] == {"type": "KeyError", "message": "order 17", "stack": "Traceback …"}
    assert (await acme.get(f"/runs/{dead['id']}")).json() == dead
    assert (await acme.get(f"/runs/{new['id']}")).json() == new


@pytest.mark.parametrize(("body", "payload"), [({}, {"n": 1}), ({"payload": [2]}, [2]), ({"payload": None}, None)])
async def test_a_retry_may_bring_another_payload(
    acme: httpx.AsyncClient, mill: Mill, running: Json, body: Json, payload: Json
) -> None:
    await mill.report("SUCCEEDED", running)

    answer = await acme.post(f"/runs/{running['id']}/retry", json=body)

    assert (answer.status_code, answer.json()["payload"]) == (201, payload)


async def test_a_run_that_has_not_ended_cannot_be_retried(acme: httpx.AsyncClient, running: Json) -> None:
    answer = await acme.post(f"/runs/{running['id']}/retry")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rota:error:transition")
    assert len((await acme.get("/runs")).json()["items"]) == 1


async def test_a_delivery_is_cancelled_and_retried_alike(acme: httpx.AsyncClient) -> None:
    schedule = (await acme.post("/schedules", json=a_delivery())).json()
    run = (await acme.post(f"/schedules/{schedule['id']}/trigger")).json()

    cancelled = await acme.post(f"/runs/{run['id']}/cancel")
    again = await acme.post(f"/runs/{run['id']}/retry")

    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "CANCELLED")
    assert (again.status_code, again.json()["target"], again.json()["payload"]) == (201, "EVENT", {"n": 1})


async def test_the_next_attempt_is_shown_while_a_run_waits_for_it(
    acme: httpx.AsyncClient, mill: Mill, running: Json
) -> None:
    await mill.report("FAILED", running, error={"type": "Busy", "message": "", "retryAfterSec": 90})

    run = (await acme.get(f"/runs/{running['id']}")).json()

    assert (run["state"], run["nextAttemptAt"]) == ("RETRYING", "2026-01-01T00:01:30Z")
    assert [(attempt["outcome"], attempt["answer"]) for attempt in run["attempts"]] == [("FAILED", None)]


@pytest.mark.parametrize("order", ["cancel", "retry"])
async def test_nothing_is_known_of_anothers_run(globex: httpx.AsyncClient, running: Json, order: str) -> None:
    theirs = await globex.post(f"/runs/{running['id']}/{order}")
    nobodys = await globex.post(f"/runs/{RANDOM}/{order}")

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text.replace(running["id"], RANDOM) == nobodys.text


@pytest.mark.parametrize(
    ("order", "body", "field"),
    [
        ("cancel", {"reason": "a\x00b"}, "reason"),
        ("cancel", {"reason": "x" * 2_001}, "reason"),
        ("cancel", {"reason": 5}, "reason"),
        ("cancel", {"force": True}, "force"),
        ("retry", {"payload": "x" * 256 * 1024}, "payload"),
        ("retry", {"reason": "again"}, "reason"),
    ],
)
async def test_a_bad_field_is_named_and_the_run_stays(
    acme: httpx.AsyncClient, running: Json, order: str, body: Json, field: str
) -> None:
    answer = await acme.post(f"/runs/{running['id']}/{order}", json=body)

    assert (answer.status_code, list(errors(answer))) == (422, [field])
    assert (await acme.get(f"/runs/{running['id']}")).json() == running
