"""`Idempotency-Key`: whoever repeats a call is answered as he was, and it is done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.unit.http.conftest import Json, Served, a_schedule, errors
from tests.unit.http.test_calendars import a_file
from tests.unit.http.test_callers import ENDPOINTS
from tests.unit.http.test_dead_letters import dead

from rota.application.ports.keyed_calls import HELD, KEPT, CallKey, Claim, KeptAnswer
from rota.application.ports.store import UnitOfWork
from rota.domain.errors import ConcurrentChangeError, UnavailableError
from rota.infrastructure.memory.keyed_calls import InMemoryKeyedCalls
from rota.infrastructure.memory.store import InMemoryUnitOfWork

KEY = {"Idempotency-Key": "order-66"}
PREVIEW = {"trigger": {"type": "CRON", "cron": "0 9 * * *"}, "tz": "UTC"}
BEAT = {"slots": 1, "running": []}
ONE_RUN = {"job": "reports.daily"}

CALLS: dict[str, Json] = {
    "/schedules": a_schedule(name="weekly"),
    "/schedules/batch": [a_schedule(name="a"), a_schedule(name="b")],
    "/schedules/preview": PREVIEW,
    "/schedules/{id}/enable": {},
    "/schedules/{id}/disable": {"reason": "a feast"},
    "/schedules/{id}/skip": {"count": 2},
    "/schedules/{id}/trigger": {},
    "/schedules/{id}/backfill": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"},
    "/backfills/{id}/cancel": {"reason": "enough"},
    "/jobs": {"name": "reports.weekly"},
    "/runs": ONE_RUN,
    "/runs/batch": [ONE_RUN, ONE_RUN],
    "/runs/{id}/cancel": {"reason": "enough"},
    "/runs/{id}/retry": {},
    "/runs/redrive": {"filter": {}},
    "/redrives/{id}/cancel": {},
    "/workers/register": {"jobs": [{"name": "reports.daily"}, {"name": "new"}], "slots": 1},
    "/workers/{id}/heartbeat": BEAT,
    "/workers/{id}/drain": {},
    "/calendars": {"name": "DE-BY"},
    "/calendars/{id}/import": a_file(),
}
"""Every POST there is, with a body that it takes."""

CHANGING = [path for path in CALLS if path not in ("/schedules/preview", "/workers/{id}/heartbeat")]
"""Those whose effect and answer are of one transaction; the two others change nothing that a second time would."""


def test_every_post_is_among_them() -> None:
    assert CALLS.keys() == {path for _, method, path in ENDPOINTS if method == "POST"}


@pytest.fixture
async def placed(served: Served, acme: httpx.AsyncClient, job: Json) -> Callable[[str], str]:
    """The path with the id of something that it is about."""
    schedule = (await acme.post("/schedules", json=a_schedule())).json()
    ended = (await acme.post("/runs", json=ONE_RUN)).json()
    await acme.post(f"/runs/{ended['id']}/cancel")
    run = (await acme.post("/runs", json=ONE_RUN | {"runAt": "2027-01-01T00:00:00Z"})).json()
    worker = (await acme.post("/workers/register", json={"jobs": [], "slots": 1})).json()
    calendar = (await acme.post("/calendars", json={"name": "days"})).json()
    await dead(served)
    redrive = (await acme.post("/runs/redrive", json={"filter": {}})).json()
    served.clock.advance(timedelta(days=3))
    stretch = {"from": schedule["createdAt"], "to": "2026-01-02T12:00:00Z"}
    backfill = (await acme.post(f"/schedules/{schedule['id']}/backfill", json=stretch)).json()
    ids = {"schedules": schedule, "runs": run, "workers": {"id": worker["workerId"]}, "calendars": calendar}
    ids |= {"redrives": redrive, "backfills": backfill, "ended": ended}

    def place(path: str) -> str:
        kind = "ended" if path.endswith("/retry") else path.split("/")[1]
        return path.format(id=ids[kind]["id"]) if "{id}" in path else path

    return place


def sent(body: Json) -> dict[str, Any]:
    return {"content": body} if isinstance(body, bytes | str) else {"json": body}


def told(answer: httpx.Response) -> tuple[int, bytes, Json]:
    """All of an answer but that it is one given before."""
    return answer.status_code, answer.content, {**answer.headers, "idempotent-replayed": None}


def effects(served: Served) -> Json:
    """All that is stored, but for the keys."""
    tables = served.store.tables
    rows = (tables.runs, tables.schedules, tables.jobs, tables.workers, tables.calendars, tables.backfills)
    return [len(table) for table in rows], len(tables.redrives), len(tables.events), tables.last_position


@pytest.mark.parametrize("path", CALLS)
async def test_the_first_answer_comes_again_and_nothing_is_done_again(
    served: Served, acme: httpx.AsyncClient, placed: Callable[[str], str], path: str
) -> None:
    call = {"url": placed(path), "headers": KEY, **sent(CALLS[path])}

    first = await acme.post(**call)
    done = effects(served)
    served.clock.advance(timedelta(hours=23))
    second = await acme.post(**call)

    assert first.status_code in (200, 201, 202)
    assert told(second) == told(first)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert effects(served) == done


@pytest.mark.parametrize("path", CHANGING)
async def test_who_dies_between_the_effect_and_the_answer_has_stored_both(
    served: Served,
    acme: httpx.AsyncClient,
    placed: Callable[[str], str],
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Death, seen from the outside: nothing is done behind the commit any more, and the caller hears nothing."""

    class DeathError(BaseException):
        pass

    commit = InMemoryUnitOfWork.commit

    async def commit_and_die(self: InMemoryUnitOfWork) -> None:
        await commit(self)
        raise DeathError

    call = {"url": placed(path), "headers": KEY, **sent(CALLS[path])}
    with monkeypatch.context() as patched:
        patched.setattr(InMemoryUnitOfWork, "commit", commit_and_die)
        with pytest.raises(DeathError):
            await acme.post(**call)
    done = effects(served)
    again = await acme.post(**call)

    assert again.status_code in (200, 201, 202)
    assert again.headers["idempotent-replayed"] == "true"
    assert effects(served) == done


@pytest.mark.parametrize("path", CHANGING)
async def test_who_dies_before_the_effect_has_done_nothing_and_holds_the_key_no_longer_than_a_claim(
    served: Served,
    acme: httpx.AsyncClient,
    placed: Callable[[str], str],
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class DeathError(BaseException):
        pass

    async def die(self: InMemoryUnitOfWork) -> None:
        raise DeathError

    call = {"url": placed(path), "headers": KEY, **sent(CALLS[path])}
    before = effects(served)
    with monkeypatch.context() as patched:
        patched.setattr(InMemoryUnitOfWork, "commit", die)
        with pytest.raises(DeathError):
            await acme.post(**call)
    assert effects(served) == before
    early = await acme.post(**call)
    served.clock.advance(HELD)
    late = await acme.post(**call)

    assert (early.status_code, early.headers["retry-after"]) == (409, "1")
    assert late.status_code in (200, 201, 202)
    assert "idempotent-replayed" not in late.headers


async def test_location_etag_and_kind_come_again(acme: httpx.AsyncClient, job: Json) -> None:
    first = await acme.post("/schedules", json=a_schedule(), headers=KEY)
    second = await acme.post("/schedules", json=a_schedule(), headers=KEY)

    assert second.status_code == 201
    for name in ("location", "etag", "content-type", "content-length"):
        assert second.headers[name] == first.headers[name]


async def test_what_was_made_may_be_gone_by_then(acme: httpx.AsyncClient) -> None:
    first = await acme.post("/calendars", json={"name": "x"}, headers=KEY)
    place = f"/calendars/{first.json()['id']}"
    taken = await acme.post(f"{place}/import", content=a_file(), headers=KEY)
    await acme.delete(place)

    assert told(await acme.post("/calendars", json={"name": "x"}, headers=KEY)) == told(first)
    assert told(await acme.post(f"{place}/import", content=a_file(), headers=KEY)) == told(taken)


class TestWhileItGoesOn:
    @pytest.fixture
    async def stopped(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[asyncio.Event, asyncio.Event]]:
        """The first commit comes to a stand (first event) until it may go on (second)."""
        stands, may_go_on = asyncio.Event(), asyncio.Event()
        commit = InMemoryUnitOfWork.commit

        async def wait_and_commit(self: InMemoryUnitOfWork) -> None:
            stands.set()
            await may_go_on.wait()
            await commit(self)

        monkeypatch.setattr(InMemoryUnitOfWork, "commit", wait_and_commit)
        yield stands, may_go_on

    async def test_the_second_is_told_so_and_then_has_the_answer_of_the_first(
        self, acme: httpx.AsyncClient, stopped: tuple[asyncio.Event, asyncio.Event]
    ) -> None:
        stands, may_go_on = stopped
        call = {"url": "/jobs", "json": {"name": "a"}, "headers": KEY}
        first = asyncio.create_task(acme.post(**call))
        await stands.wait()

        second = await acme.post(**call)
        other = await acme.post("/jobs", json={"name": "b"}, headers=KEY)
        may_go_on.set()
        third = (await first, await acme.post(**call))[1]

        assert (second.status_code, second.json()["type"]) == (409, "urn:rota:error:key-in-flight")
        assert (list(errors(second)), second.headers["retry-after"]) == (["Idempotency-Key"], "1")
        assert other.status_code == 422
        assert told(third) == told(await first)

    async def test_who_is_too_slow_loses_his_claim_and_does_nothing(
        self, served: Served, acme: httpx.AsyncClient, stopped: tuple[asyncio.Event, asyncio.Event]
    ) -> None:
        stands, may_go_on = stopped
        call = {"url": "/runs", "json": {"job": "reports.daily"}, "headers": KEY}
        may_go_on.set()
        await acme.post("/jobs", json={"name": "reports.daily"})
        stands.clear()
        may_go_on.clear()
        slow = asyncio.create_task(acme.post(**call))
        await stands.wait()
        served.clock.advance(HELD)

        quick = asyncio.create_task(acme.post(**call))
        while len([row for row in served.store.tables.keyed_calls.values() if row.made_at == served.clock.now()]) < 1:
            await asyncio.sleep(0)
        may_go_on.set()

        assert sorted([(await slow).status_code, (await quick).status_code]) == [201, 409]
        assert (await slow).status_code == 409
        assert len(served.store.tables.runs) == 1


class TestWhatIsKept:
    async def test_a_refusal_of_the_work_is_an_answer(self, acme: httpx.AsyncClient, job: Json) -> None:
        taken = await acme.post("/jobs", json={"name": "reports.daily"}, headers=KEY)
        await acme.delete(f"/jobs/{job['id']}")
        again = await acme.post("/jobs", json={"name": "reports.daily"}, headers=KEY)
        anew = await acme.post("/jobs", json={"name": "reports.daily"}, headers={"Idempotency-Key": "another"})

        assert (taken.status_code, again.headers["content-type"]) == (409, "application/problem+json")
        assert told(again) == told(taken)
        assert anew.status_code == 201

    async def test_what_never_came_to_the_work_is_not(self, served: Served, acme: httpx.AsyncClient) -> None:
        unreadable = await acme.post("/jobs", content=b"{", headers=KEY)
        invalid = await acme.post("/jobs", json={"name": ""}, headers=KEY)
        async with served.client("acme:read") as reader:
            forbidden = await reader.post("/jobs", json={"name": "a"}, headers=KEY)
        good = await acme.post("/jobs", json={"name": "a"}, headers=KEY)

        statuses = [answer.status_code for answer in (unreadable, invalid, forbidden, good)]
        assert statuses == [400, 422, 403, 201]

    @pytest.mark.parametrize(
        ("error", "status"), [(UnavailableError("away"), 503), (ConcurrentChangeError("data"), 409), (OSError(), 500)]
    )
    async def test_what_may_work_the_next_time_is_not(
        self, served: Served, acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
    ) -> None:
        async def fail(self: UnitOfWork) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(InMemoryUnitOfWork, "commit", fail)
            with capture_logs():
                failed = await acme.post("/jobs", json={"name": "a"}, headers=KEY)
        again = await acme.post("/jobs", json={"name": "a"}, headers=KEY)

        assert (failed.status_code, again.status_code) == (status, 201)

    async def test_a_commit_that_succeeded_and_was_not_heard_of_is_none_of_these(
        self, served: Served, acme: httpx.AsyncClient, job: Json, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = InMemoryUnitOfWork.commit

        async def commit_unheard(self: InMemoryUnitOfWork) -> None:
            await commit(self)
            raise UnavailableError("the database does not answer")

        with monkeypatch.context() as patched:
            patched.setattr(InMemoryUnitOfWork, "commit", commit_unheard)
            failed = await acme.post("/runs", json=ONE_RUN, headers=KEY)
        again = await acme.post("/runs", json=ONE_RUN, headers=KEY)

        assert (failed.status_code, again.status_code) == (503, 201)
        assert len(served.store.tables.runs) == 1

    async def test_a_failure_behind_the_effect_does_not_take_it_back(
        self, served: Served, acme: httpx.AsyncClient
    ) -> None:
        """The bus is down: the registration is stored, its lanes are not made yet."""
        call = {"url": "/workers/register", "json": {"jobs": [{"name": "a"}], "slots": 1}, "headers": KEY}
        served.lanes.up = False
        failed = await acme.post(**call)
        again = await acme.post(**call)

        assert (failed.status_code, again.status_code) == (503, 201)
        assert len(served.store.tables.workers) == 1

    async def test_where_a_claim_cannot_be_given_up_the_failure_is_told_all_the_same(
        self, served: Served, acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: object) -> None:
            raise UnavailableError("the database does not answer")

        monkeypatch.setattr(InMemoryUnitOfWork, "commit", away)
        monkeypatch.setattr(InMemoryKeyedCalls, "give_up", away)

        assert (await acme.post("/jobs", json={"name": "a"}, headers=KEY)).status_code == 503

    async def test_after_a_day_a_key_is_a_new_one(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        first = await acme.post("/runs", json=ONE_RUN, headers=KEY)
        served.clock.advance(KEPT - timedelta(seconds=1))
        same = await acme.post("/runs", json=ONE_RUN, headers=KEY)
        served.clock.advance(timedelta(seconds=1))
        other = await acme.post("/runs", json=ONE_RUN | {"priority": 1}, headers=KEY)

        assert same.json()["id"] == first.json()["id"] != other.json()["id"]


async def test_without_a_key_nothing_is_asked(
    served: Served, acme: httpx.AsyncClient, job: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Untouched(InMemoryKeyedCalls):
        async def claim(self, *_: object) -> Claim | KeptAnswer:
            raise AssertionError

        finish: Callable[..., Awaitable[None]] = claim  # type: ignore[assignment]  # none is to be called
        give_up: Callable[..., Awaitable[None]] = claim  # type: ignore[assignment]

    served.app.state.services = replace(served.services, keyed_calls=Untouched(served.store))

    assert (await acme.post("/runs", json=ONE_RUN)).status_code == 201
    assert (await acme.post("/schedules/preview", json=PREVIEW)).status_code == 200
    assert not served.store.tables.keyed_calls


async def test_the_document_declares_it_for_every_post(served: Served) -> None:
    async with served.client(None) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]

    for operations in paths.values():
        for method, operation in operations.items():
            named = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "header"]
            assert ("Idempotency-Key" in named) == (method == "post")
            assert ("If-Match" in named) == ("412" in operation["responses"]) == (method in ("patch", "delete"))


async def test_what_is_kept_is_the_answer_and_nothing_of_the_call(served: Served, acme: httpx.AsyncClient) -> None:
    answer = await acme.post("/jobs", json={"name": "a"}, headers=KEY | {"X-Correlation-Id": "c-1"})

    ((call, row),) = served.store.tables.keyed_calls.items()
    assert call == CallKey(call.tenant_id, "POST", "/jobs", "order-66")
    assert row.answer is not None
    assert row.answer.headers.keys() == {"content-type", "etag", "location"}
    assert row.answer.body == answer.content
