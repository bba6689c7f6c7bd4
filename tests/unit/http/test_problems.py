"""Refusals of the framework, of what stands below, and of what nobody thought of."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from structlog.testing import capture_logs
from tests.unit.http.conftest import Served, errors

from rota.application.create_job import CreateJob
from rota.domain.errors import ConcurrentChangeError, UnavailableError

RANDOM = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def failing(served: Served) -> Callable[[Exception], None]:
    """Lets the creation of jobs fail with the error given."""

    def fail(error: Exception) -> None:
        async def handler(command: CreateJob) -> None:
            raise error

        served.app.state.services.bus.on(CreateJob, handler)

    return fail


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("GET", "/schedules/"),
        ("GET", "/schedules/17"),
        ("GET", "/schedules/%2e%2e"),
        ("GET", "/calendars/17"),
        ("GET", "/events/replay"),
        ("POST", f"/schedules/{RANDOM}/skip"),
        ("GET", f"/schedules/{RANDOM}/events"),
        ("GET", f"/schedules/{RANDOM}/explain?at=2026-01-01T00:00:00Z"),
        ("POST", f"/runs/{RANDOM}/retry"),
        ("POST", f"/runs/{RANDOM}/cancel"),
        ("GET", f"/runs/{RANDOM}/events"),
        ("GET", "/api/v1/schedules"),
    ],
)
async def test_where_there_is_no_path_there_is_a_problem_document(
    acme: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await acme.request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:rota:error:not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/schedules", "GET, POST"),
        ("DELETE", "/runs", "GET, POST"),
        ("POST", f"/jobs/{RANDOM}", "GET, PATCH, DELETE"),
        ("GET", f"/workers/{RANDOM}/drain", "POST"),
        ("HEAD", "/ready", "GET"),
    ],
)
async def test_a_method_that_a_path_does_not_take(
    acme: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await acme.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [f"/schedules/{RANDOM}", f"/jobs/{RANDOM}", f"/runs/{RANDOM}", "/live", "/health"])
async def test_a_parameter_that_nobody_reads_is_an_error(acme: httpx.AsyncClient, path: str) -> None:
    answer = await acme.get(f"{path}?verbose=1&deep")

    assert answer.status_code == 422
    assert errors(answer)["verbose"] == "unknown"


async def test_a_parameter_of_a_post_is_an_error(acme: httpx.AsyncClient) -> None:
    answer = await acme.post("/jobs?dryRun=true", json={"name": "x"})

    assert (answer.status_code, errors(answer)) == (422, {"dryRun": "unknown"})


async def test_what_is_out_of_reach_may_be_tried_again(
    acme: httpx.AsyncClient, failing: Callable[[Exception], None]
) -> None:
    failing(UnavailableError("the database does not answer", retry_after=2.5))

    answer = await acme.post("/jobs", json={"name": "x"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json() == {
        "type": "urn:rota:error:unavailable",
        "title": "Unavailable",
        "status": 503,
        "detail": "the database does not answer",
        "instance": "/api/v1/jobs",
    }


async def test_a_race_that_stays_lost_is_a_conflict(
    acme: httpx.AsyncClient, failing: Callable[[Exception], None]
) -> None:
    failing(ConcurrentChangeError("job"))

    answer = await acme.post("/jobs", json={"name": "x"})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rota:error:concurrent-change")


async def test_the_unexpected_is_logged_and_not_shown(
    acme: httpx.AsyncClient, failing: Callable[[Exception], None]
) -> None:
    failing(RuntimeError("password=hunter2"))

    with capture_logs() as lines:
        answer = await acme.post("/jobs", json={"name": "x"})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:rota:error:internal"
    assert "hunter2" not in answer.text
    assert [line["log_level"] for line in lines if line["event"] == "call_failed"] == ["error"]


async def test_each_call_is_logged_once(acme: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await acme.get("/jobs")

    assert [(line["event"], line["method"], line["path"], line["status"]) for line in lines] == [
        ("call", "GET", "/api/v1/jobs", 200)
    ]


async def test_the_instance_is_the_path_as_it_was_called(served: Served) -> None:
    async with served.client(base="") as client:
        answer = await client.get("/n%C3%B6where%20at%20all?x=1")

    assert answer.json()["instance"] == "/n%C3%B6where%20at%20all"
