"""Those who write at the same time, and processes that die on them: on the real database."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from tests.support.builders import next_id

from rota.entrypoints.bootstrap.server import Server, application
from rota.entrypoints.bootstrap.tokens import issue_token
from rota.entrypoints.http.server import HttpServer
from rota.entrypoints.settings import Settings, read_settings
from rota.infrastructure.postgres.engine import open_engine, transaction
from rota.infrastructure.postgres.schema import migrate
from rota.infrastructure.postgres.tables import keyed_calls

MANY = 20
PATIENCE = 20
SCHEDULE = {"tz": "UTC", "trigger": {"type": "CRON", "cron": "0 9 * * *"}, "target": {"kind": "JOB", "job": "daily"}}


@pytest.fixture
def settings(database_url: str, nats_url: str, tmp_path: Path) -> Settings:
    migrate(database_url)
    return read_settings(postgres_url=database_url, nats_url=nats_url, rota_data_dir=tmp_path)


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Server]:
    async with application(settings, ["api"], HttpServer("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def headers(settings: Settings) -> dict[str, str]:
    """Of a tenant of the test's own."""
    token = issue_token(None, settings, f"t{next_id().hex[-12:]}", ["scheduler:admin"], 600)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def client(server: Server, headers: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    assert server.app is not None
    transport = httpx.ASGITransport(server.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://rota/api/v1", headers=headers) as made:
        await made.post("/jobs", json={"name": "daily"})
        yield made


async def sent(call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """As a patient caller sends it: on a machine with too much to do a transaction is given up, which is a 503."""
    deadline = monotonic() + PATIENCE
    while (answer := await call()).status_code == 503 and monotonic() < deadline:
        pass
    return answer


async def all_at_once(*calls: Callable[[], Awaitable[httpx.Response]]) -> list[httpx.Response]:
    return await asyncio.gather(*map(sent, calls))


async def kept_keys(settings: Settings) -> int:
    engine = open_engine(settings.postgres_url, size=1)
    async with transaction(engine) as connection:
        count: int = await connection.scalar(select(func.count()).select_from(keyed_calls)) or 0
    await engine.dispose()
    return count


CALLS: list[tuple[str, Any, str]] = [
    ("/runs", {"job": "daily"}, "/runs"),
    ("/schedules", SCHEDULE | {"name": "daily"}, "/schedules"),
    ("/calendars", {"name": "days"}, "/calendars"),
    ("/workers/register", {"jobs": [{"name": "daily"}], "slots": 1}, "/workers"),
]


@pytest.mark.parametrize(("path", "body", "made_at"), CALLS)
async def test_of_many_calls_at_once_with_one_key_one_has_an_effect(
    settings: Settings, client: httpx.AsyncClient, path: str, body: Any, made_at: str
) -> None:
    call = {"url": path, "json": body, "headers": {"Idempotency-Key": "order-66"}}
    before = await kept_keys(settings)

    answers = await all_at_once(*[partial(client.post, **call)] * MANY)
    afterwards = await all_at_once(*[partial(client.post, **call)] * MANY)

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() <= {201, 409}
    assert statuses[201] >= 1
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} <= {
        "urn:rota:error:key-in-flight"
    }
    given = [answer for answer in (*answers, *afterwards) if answer.is_success]
    assert len({(answer.content, answer.headers["location"]) for answer in given}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in given) <= 1
    assert [answer.headers.get("idempotent-replayed") for answer in afterwards] == ["true"] * MANY
    assert len((await client.get(made_at)).json()["items"]) == 1
    assert await kept_keys(settings) == before + 1


async def test_keys_of_their_own_do_not_stand_in_each_others_way(client: httpx.AsyncClient) -> None:
    call = partial(client.post, "/runs", json={"job": "daily"})

    answers = await all_at_once(*(partial(call, headers={"Idempotency-Key": str(n)}) for n in range(MANY)))

    assert {answer.status_code for answer in answers} == {201}
    assert len((await client.get("/runs")).json()["items"]) == MANY


@pytest.mark.parametrize(
    ("kind", "body", "patches"),
    [
        ("/schedules", SCHEDULE | {"name": "daily"}, [{"description": str(n)} for n in range(MANY)]),
        ("/jobs", {"name": "own"}, [{"priority": n % 9 + 1} for n in range(MANY)]),
        ("/calendars", {"name": "days"}, [{"description": str(n)} for n in range(MANY)]),
    ],
)
async def test_of_many_who_change_what_they_have_seen_one_does(
    client: httpx.AsyncClient, kind: str, body: Any, patches: list[Any]
) -> None:
    made = await client.post(kind, json=body)
    place, seen = f"{kind}/{made.json()['id']}", {"If-Match": made.headers["etag"]}

    answers = await all_at_once(*(partial(client.patch, place, json=patch, headers=seen) for patch in patches))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: MANY - 1}
    (won,) = (n for n, answer in enumerate(answers) if answer.is_success)
    now = (await client.get(place)).json()
    assert now["version"] == 2
    assert now | patches[won] == now


async def test_of_a_change_and_a_deletion_at_once_one_is_made(client: httpx.AsyncClient) -> None:
    made = await client.post("/calendars", json={"name": "days"})
    place, seen = f"/calendars/{made.json()['id']}", {"If-Match": '"1"'}

    changed, deleted = await all_at_once(
        partial(client.patch, place, json={"description": "x"}, headers=seen),
        partial(client.delete, place, headers=seen),
    )

    assert (changed.status_code, deleted.status_code) in {(200, 412), (404, 204)}


@contextmanager
def a_process_that_dies(settings: Settings, at: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`rota serve --roles api`, and where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "POSTGRES_URL": settings.postgres_url,
        "NATS_URL": settings.nats_url,
        "ROTA_DATA_DIR": str(settings.rota_data_dir),
        "ROTA_FAULT_POINTS": f"{at}:kill:1",
    }
    command = [sys.executable, "-m", "rota.entrypoints.cli", "serve", "--roles", "api", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


async def test_who_was_killed_before_he_could_answer_is_answered_for(
    settings: Settings, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    keyed = headers | {"Idempotency-Key": "order-66"}
    with a_process_that_dies(settings, "call.before_answer") as (url, process):
        async with httpx.AsyncClient(base_url=url, headers=keyed) as doomed:
            await _listens(doomed)
            with pytest.raises(httpx.HTTPError):
                await doomed.post("/runs", json={"job": "daily"})
        await asyncio.to_thread(process.wait, PATIENCE)

    (run,) = (await client.get("/runs")).json()["items"]
    again = await client.post("/runs", json={"job": "daily"}, headers=keyed)

    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert (again.json()["id"], again.headers["location"]) == (run["id"], f"/runs/{run['id']}")
    assert len((await client.get("/runs")).json()["items"]) == 1


async def _listens(client: httpx.AsyncClient) -> None:
    deadline = monotonic() + PATIENCE
    while True:
        try:
            await client.get("/live", headers={"Idempotency-Key": ""})
        except httpx.TransportError:
            assert monotonic() < deadline, "it does not listen"
            await asyncio.sleep(0.05)
        else:
            return
