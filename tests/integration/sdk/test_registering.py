"""A worker makes itself known, however long the server takes to be there."""

import asyncio

import pytest
import uvicorn
from fastapi.responses import JSONResponse
from tests.integration.sdk.conftest import PATIENCE, TOKEN, Serve, Stage
from tests.support.ports import free_port

from rota import RotaError, Worker


def a_worker(stage: Stage, **options: object) -> Worker:
    worker = Worker(stage.url, TOKEN, **options)  # type: ignore[arg-type] # whatever the test sets
    worker.job("greet", timeout=5, max_attempts=2)(lambda ctx: None)
    worker.job("mail", queue="mail", capabilities=["smtp"])(lambda ctx: None)
    return worker


async def test_it_says_who_it_is_and_what_it_can_do(stage: Stage, serve: Serve) -> None:
    await serve(a_worker(stage, name="w-1", capabilities=["gpu"], concurrency=7, tenant="acme"))

    [register] = await stage.front.registers.until(lambda items: len(items) == 1)

    del register["workerId"]
    assert register == {
        "name": "w-1",
        "jobs": [
            {"name": "greet", "queue": "default", "timeoutSec": 5.0, "retry": {"maxAttempts": 2}},
            {"name": "mail", "queue": "mail", "capabilities": ["smtp"]},
        ],
        "capabilities": ["gpu"],
        "slots": 7,
    }
    assert stage.front.headers[0]["authorization"] == f"Bearer {TOKEN}"
    assert stage.front.headers[0]["x-tenant-id"] == "acme"


async def test_with_queues_it_offers_only_their_jobs(stage: Stage, serve: Serve) -> None:
    worker = Worker(stage.url, TOKEN, queues=["bi"])
    worker.job("own")(lambda ctx: None)
    worker.job("foreign", queue="mail")(lambda ctx: None)
    await serve(worker)

    [register] = await stage.front.registers.until(lambda items: len(items) == 1)

    assert register["jobs"] == [{"name": "own", "queue": "bi"}]


async def test_it_tries_until_the_server_can(stage: Stage, serve: Serve) -> None:
    stage.front.refusals += [JSONResponse({}, 503), JSONResponse({}, 429), JSONResponse({}, 500)]
    await stage.provision("greet", "mail")
    await serve(a_worker(stage))
    await stage.send("greet")

    await stage.until_reported("SUCCEEDED")

    assert len(stage.front.registers.items) == 4


async def test_it_waits_for_a_server_that_is_not_there_yet(stage: Stage, serve: Serve) -> None:
    port = free_port()
    worker = Worker(f"http://127.0.0.1:{port}", TOKEN)
    worker.job("greet")(lambda ctx: None)
    await stage.provision("greet")
    await serve(worker)
    server = uvicorn.Server(uvicorn.Config(stage.front.app, "127.0.0.1", port, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())

    await stage.front.registers.until(lambda items: len(items) == 1)

    server.should_exit = True
    await serving


@pytest.mark.parametrize("status", [401, 403, 422])
async def test_a_refusal_for_good_ends_the_worker_and_says_why(stage: Stage, status: int) -> None:
    problem = {"type": "urn:rota:error:x", "title": "No", "errors": [{"field": "jobs.0.queue", "message": "bad"}]}
    stage.front.refusals.append(JSONResponse(problem, status, media_type="application/problem+json"))

    with pytest.raises(RotaError, match=r"jobs.0.queue: bad") as refused:
        await asyncio.wait_for(a_worker(stage).run(handle_signals=False), PATIENCE)

    assert (refused.value.status, refused.value.type) == (status, "urn:rota:error:x")


async def test_a_worker_is_drained_while_it_still_tries(stage: Stage) -> None:
    worker = Worker(f"http://127.0.0.1:{free_port()}", TOKEN)
    worker.job("greet")(lambda ctx: None)
    serving = asyncio.create_task(worker.run(handle_signals=False))
    await asyncio.sleep(0)

    worker.drain()

    await asyncio.wait_for(serving, PATIENCE)


async def test_a_token_of_all_tenants_needs_one_chosen(stage: Stage) -> None:
    worker = Worker(stage.url, "e30.eyJ0ZW5hbnQiOiIqIn0.x")
    worker.job("greet")(lambda ctx: None)

    with pytest.raises(ValueError, match="tenant="):
        await asyncio.wait_for(worker.run(handle_signals=False), PATIENCE)
