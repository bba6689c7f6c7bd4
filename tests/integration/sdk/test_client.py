"""The HTTP client against a server of the test's own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from tests.integration.sdk.conftest import TOKEN
from tests.support.ports import free_port

from rota import Rota, RotaError, RotaSync

SCHEDULE = {
    "id": "s1", "name": "daily", "enabled": True, "trigger": {"type": "CRON", "cron": "0 9 * * *"},
    "target": {"kind": "JOB", "job": "greet"}, "nextFireAt": "2026-01-02T09:00:00Z", "version": 1, "tz": "UTC",
}  # fmt: skip
RUN = {"id": "r1", "state": "QUEUED", "cause": "API", "job": "greet", "scheduledFor": "2026-01-02T09:00:00Z"}


class Server:
    """Answers as the contract says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.states = ["QUEUED", "RUNNING", "SUCCEEDED"]
        self.url = f"http://127.0.0.1:{free_port()}"
        self.app = FastAPI()
        self.app.api_route("/{path:path}", methods=["GET", "POST"])(self._answer)

    async def _answer(self, path: str, request: Request) -> Any:
        body = await request.body()
        self.asked.append((request.method, f"/{path}", await request.json() if body else dict(request.query_params)))
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return JSONResponse({"type": "urn:rota:error:unauthenticated", "title": "Who are you?"}, 401)
        match path.removeprefix("api/v1/"):
            case "schedules" if request.method == "GET":
                return {"items": [SCHEDULE], "nextCursor": "c2"}
            case "schedules":
                return JSONResponse(SCHEDULE, 201)
            case "schedules/batch":
                return JSONResponse({"items": [SCHEDULE, SCHEDULE]}, 201)
            case "jobs":
                return JSONResponse({"id": "j1", "name": "greet", "queue": "default", "version": 1}, 201)
            case "runs" if request.method == "GET":
                return {"items": [RUN], "nextCursor": None}
            case "runs":
                return JSONResponse(RUN, 201)
            case "runs/batch":
                return JSONResponse({"items": [RUN, RUN]}, 201)
            case "runs/r1/cancel":
                return JSONResponse(RUN | {"cancelRequestedAt": "2026-01-02T09:00:01Z"}, 202)
            case "runs/r1/retry":
                return JSONResponse(RUN | {"id": "r2", "cause": "RETRY", "retryOf": "r1"}, 201)
            case "runs/r1":
                return RUN | {"state": self.states.pop(0) if len(self.states) > 1 else self.states[0]}
        return JSONResponse({"type": "urn:rota:error:not-found", "title": "Not found", "detail": path}, 404)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    config = uvicorn.Config(server.app, "127.0.0.1", int(server.url.rpartition(":")[2]), log_level="warning")
    running = uvicorn.Server(config)
    serving = asyncio.create_task(running.serve())
    async with asyncio.timeout(20):
        while not running.started:
            await asyncio.sleep(0.01)
    yield server
    running.should_exit = True
    await serving


async def test_definitions_go_out_and_typed_answers_come_back(server: Server) -> None:
    async with Rota(server.url, TOKEN) as rota:
        job = await rota.create_job("greet", timeoutSec=5)
        schedule = await rota.create_schedule("daily", tz="UTC", trigger={"type": "CRON", "cron": "0 9 * * *"})
        schedules = await rota.create_schedules([{"name": "a"}, {"name": "b"}])
        run = await rota.run("greet", {"n": 1}, dedupeKey="k")
        runs = await rota.run_many([{"job": "greet"}, {"job": "greet"}])

    assert (job.name, schedule.next_fire_at and schedule.next_fire_at.year, run.is_final) == ("greet", 2026, False)
    assert (len(schedules.items), len(runs.items)) == (2, 2)
    assert server.asked == [
        ("POST", "/api/v1/jobs", {"name": "greet", "timeoutSec": 5}),
        ("POST", "/api/v1/schedules", {"name": "daily", "tz": "UTC", "trigger": {"type": "CRON", "cron": "0 9 * * *"}}),
        ("POST", "/api/v1/schedules/batch", [{"name": "a"}, {"name": "b"}]),
        ("POST", "/api/v1/runs", {"job": "greet", "payload": {"n": 1}, "dedupeKey": "k"}),
        ("POST", "/api/v1/runs/batch", [{"job": "greet"}, {"job": "greet"}]),
    ]


async def test_lists_are_pages_and_filters_are_the_servers(server: Server) -> None:
    async with Rota(server.url, TOKEN) as rota:
        page = await rota.list_schedules(enabled=True, limit=5, name=None)

    assert (page.items[0].name, page.next_cursor) == ("daily", "c2")
    assert server.asked == [("GET", "/api/v1/schedules", {"enabled": "true", "limit": "5"})]


async def test_a_run_is_cancelled_and_retried(server: Server) -> None:
    async with Rota(server.url, TOKEN) as rota:
        cancelled = await rota.cancel_run("r1", "too late")
        await rota.cancel_run("r1")
        again = await rota.retry_run("r1")
        await rota.retry_run("r1", payload=None)

    assert cancelled.cancel_requested_at is not None
    assert (again.id, again.retry_of) == ("r2", "r1")
    assert server.asked == [
        ("POST", "/api/v1/runs/r1/cancel", {"reason": "too late"}),
        ("POST", "/api/v1/runs/r1/cancel", {"reason": ""}),
        ("POST", "/api/v1/runs/r1/retry", {}),
        ("POST", "/api/v1/runs/r1/retry", {"payload": None}),
    ]


async def test_waiting_for_a_run_ends_with_its_final_state(server: Server) -> None:
    async with Rota(server.url, TOKEN) as rota:
        run = await rota.wait_for_run("r1")

    assert run.state == "SUCCEEDED"


async def test_waiting_for_a_run_is_bounded(server: Server) -> None:
    server.states = ["RUNNING"]
    async with Rota(server.url, TOKEN) as rota:
        with pytest.raises(TimeoutError):
            await rota.wait_for_run("r1", timeout=0.1)


async def test_a_problem_document_becomes_an_error(server: Server) -> None:
    async with Rota(server.url, TOKEN) as rota:
        with pytest.raises(RotaError) as refused:
            await rota.get_run("no/such")

    assert (refused.value.status, refused.value.type) == (404, "urn:rota:error:not-found")
    assert server.asked[0][1] == "/api/v1/runs/no/such"


async def test_the_blocking_twin_does_the_same(server: Server) -> None:
    def work() -> tuple[str, str, int]:
        with RotaSync(server.url, TOKEN) as rota:
            run = rota.run("greet")
            return rota.wait_for_run(run.id).state, rota.create_job("greet").id, len(rota.list_runs().items)

    assert await asyncio.to_thread(work) == ("SUCCEEDED", "j1", 1)


async def test_the_blocking_twin_cancels_and_retries(server: Server) -> None:
    def work() -> tuple[str, str | None]:
        with RotaSync(server.url, TOKEN) as rota:
            return rota.cancel_run("r1").state, rota.retry_run("r1", payload=[1]).retry_of

    assert await asyncio.to_thread(work) == ("QUEUED", "r1")
    assert server.asked[-1] == ("POST", "/api/v1/runs/r1/retry", {"payload": [1]})


async def test_the_blocking_twin_is_refused_the_same(server: Server) -> None:
    def work() -> None:
        with RotaSync(server.url, "nobody") as rota:
            rota.get_schedule("s1")

    with pytest.raises(RotaError, match="Who are you"):
        await asyncio.to_thread(work)


async def test_a_client_needs_to_know_where_and_as_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROTA_URL", raising=False)
    monkeypatch.delenv("ROTA_TOKEN", raising=False)

    with pytest.raises(ValueError, match="ROTA_URL"):
        RotaSync()
