"""/runs"""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from tests.support.builders import a_job, a_run, next_id
from tests.support.stored import store
from tests.unit.http.conftest import Json, Served, a_schedule, errors

from rota.domain.ids import WorkerId
from rota.domain.run_events import RunState
from rota.infrastructure.memory.store import InMemoryBegin


async def test_a_run_is_made_and_read_back(acme: httpx.AsyncClient, job: Json) -> None:
    said = {"job": "reports.daily", "payload": {"kind": "full"}, "labels": {"team": "bi"}, "dedupeKey": "2026-01"}

    made = await acme.post("/runs", json=said | {"runAt": "2026-02-01T10:00:00+01:00"})

    run = made.json()
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/runs/{run['id']}"
    assert "etag" not in made.headers
    assert run == run | said | {
        "tenantId": "acme",
        "cause": "API",
        "state": "PENDING",
        "scheduledFor": "2026-02-01T09:00:00Z",
        "dueAt": "2026-02-01T09:00:00Z",
        "attempts": [],
    }
    assert (await acme.get(f"/runs/{run['id']}")).json() == run


async def test_what_is_not_said_of_a_run_is_shown_as_it_is(acme: httpx.AsyncClient, job: Json) -> None:
    run = (await acme.post("/runs", json={"job": "reports.daily", "runAt": "2026-02-01T09:00:00Z"})).json()

    assert run == run | {
        "job": "reports.daily",
        "target": "JOB",
        "scheduleId": None,
        "cancelRequestedAt": None,
        "cancelAcknowledgedAt": None,
        "nextAttemptAt": None,
        "retryOf": None,
        "fingerprint": None,
        "priority": 0,
        "payload": None,
    }


@pytest.mark.parametrize(("said", "priority"), [({}, 3), ({"priority": None}, 3), ({"priority": -100}, -100)])
async def test_a_runs_own_priority_wins_over_the_jobs(acme: httpx.AsyncClient, said: Json, priority: int) -> None:
    await acme.post("/jobs", json={"name": "mail", "priority": 3})

    assert (await acme.post("/runs", json={"job": "mail"} | said)).json()["priority"] == priority


async def test_a_held_dedupe_key_answers_with_its_run(served: Served, acme: httpx.AsyncClient, job: Json) -> None:
    said = {"job": "reports.daily", "dedupeKey": "k"}
    first = await acme.post("/runs", json=said | {"payload": 1})

    second = await acme.post("/runs", json=said | {"payload": 2})
    batch = await acme.post("/runs/batch", json=[said, {"job": "reports.daily", "dedupeKey": "l"}, said])

    assert (second.status_code, second.json()) == (200, first.json())
    assert "location" not in second.headers
    assert batch.status_code == 201
    assert [item["id"] == first.json()["id"] for item in batch.json()["items"]] == [True, False, True]
    assert len(served.store.tables.runs) == 2


async def test_a_batch_answers_in_order(acme: httpx.AsyncClient, job: Json) -> None:
    batch = await acme.post("/runs/batch", json=[{"job": "reports.daily", "payload": n} for n in range(5)])

    assert batch.status_code == 201
    assert [item["payload"] for item in batch.json()["items"]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"job": None}, "job"),
        ({"job": "nightly"}, "job"),
        ({"job": "a\x00b"}, "job"),
        ({"runAt": "2026-01-01T00:00:00"}, "runAt"),
        ({"runAt": 5}, "runAt"),
        ({"dedupeKey": ""}, "dedupeKey"),
        ({"dedupeKey": "a\x00b"}, "dedupeKey"),
        ({"dedupeKey": "x" * 201}, "dedupeKey"),
        ({"labels": {"team": "a\x00b"}}, "labels.team"),
        ({"labels": ["team"]}, "labels"),
        ({"labels": None}, "labels"),
        ({"priority": 101}, "priority"),
        ({"priority": "high"}, "priority"),
        ({"priority": True}, "priority"),
        ({"run_at": "2026-01-01T00:00:00Z"}, "run_at"),
    ],
)
async def test_a_bad_field_is_named_alone_and_in_its_batch(
    served: Served, acme: httpx.AsyncClient, job: Json, wrong: Json, field: str
) -> None:
    good = {"job": "reports.daily"}

    one = await acme.post("/runs", json=good | wrong)
    many = await acme.post("/runs/batch", json=[good, good | wrong])

    assert (one.status_code, list(errors(one))) == (422, [field])
    assert (many.status_code, list(errors(many))) == (422, [f"1.{field}"])
    assert not served.store.tables.runs


async def test_runs_are_found_by_what_is_asked(served: Served, acme: httpx.AsyncClient, job: Json) -> None:
    await acme.post("/jobs", json={"name": "mail"})
    schedule = (await acme.post("/schedules", json=a_schedule())).json()
    by_hand = (await acme.post(f"/schedules/{schedule['id']}/trigger")).json()["id"]
    served.clock.advance(timedelta(hours=1))
    said = {"job": "mail", "labels": {"team": "bi", "url": "http://x:1"}, "runAt": "2026-01-05T00:00:00Z"}
    mail = (await acme.post("/runs", json=said)).json()["id"]

    async def found(**query: Json) -> list[str]:
        answer = await acme.get("/runs", params=query)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert await found() == [mail, by_hand]
    assert await found(scheduleId=schedule["id"]) == [by_hand]
    assert await found(job="mail") == [mail]
    assert await found(job="mai") == []
    assert await found(cause="MANUAL") == [by_hand]
    assert await found(cause=["MANUAL", "API"]) == [mail, by_hand]
    assert await found(state=["SUCCEEDED", "PENDING"], job="mail") == [mail]
    assert await found(state="DEAD") == []
    assert await found(label="team:bi") == [mail]
    assert await found(label=["team:bi", "url:http://x:1"]) == [mail]
    assert await found(label=["team:bi", "tier:1"]) == []
    assert await found(**{"from": "2026-01-05T00:00:00Z"}) == [mail]
    assert await found(to="2026-01-05T00:00:00Z") == [by_hand]
    assert await found(workerId=schedule["id"]) == []


async def test_runs_are_found_by_their_worker(served: Served, acme: httpx.AsyncClient) -> None:
    job, worker_id = a_job(), WorkerId(next_id())
    run = a_run(RunState.RUNNING, job=job, worker_id=worker_id)
    await store(InMemoryBegin(served.store), job, run, a_run(RunState.QUEUED, job=job))

    found = (await acme.get("/runs", params={"workerId": str(worker_id)})).json()["items"]

    assert [each["id"] for each in found] == [str(run.id)]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"foo": "1", "bar": "2"}, {"foo", "bar"}),
        ({"state": "DONE"}, {"state.0"}),
        ({"cause": "LUCK"}, {"cause.0"}),
        ({"scheduleId": "5"}, {"scheduleId"}),
        ({"job": "a\x00b"}, {"job"}),
        ({"label": "team"}, {"label.0"}),
        ({"label": "a:\x00"}, {"label.0"}),
        ({"label": ["a:1", "a:2"]}, {"label"}),
        ({"from": "2026-01-05"}, {"from"}),
        ({"job": ["a", "b"]}, {"job"}),
    ],
)
async def test_a_bad_parameter_is_named(acme: httpx.AsyncClient, query: Json, fields: set[str]) -> None:
    answer = await acme.get("/runs", params=query)

    assert (answer.status_code, set(errors(answer))) == (422, fields)
