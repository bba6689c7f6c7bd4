"""What an operator watches, on real servers: a fire, a miss, a run and a worker move the numbers, and are heard of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rota import Rota, Worker
from rota.entrypoints.bootstrap.server import Server, application
from rota.entrypoints.bootstrap.tokens import development_token
from rota.entrypoints.loops.watch import Watchdog
from rota.entrypoints.sdk.following import Event
from rota.entrypoints.settings import ROLES, read_settings
from rota.infrastructure.embedded.servers import EmbeddedServers
from rota.infrastructure.postgres.schema import migrate

PATIENCE = 20.0
HTTP = "rota_http_request_duration_seconds_count"

Numbers = dict[tuple[str, ...], float]


class Unwatched(Watchdog):
    """The real one ends the whole process some time after it was stopped, which here is the tests' own."""

    async def run(self) -> None:
        await asyncio.Event().wait()


class Watched:
    """A process of the service in all its roles, with a metrics port of its own, and its tenant's token."""

    def __init__(self, server: Server, url: str, token: str, stop: Callable[[], Awaitable[None]]) -> None:
        self.url = url
        self.token = token
        self.stop = stop
        assert server.metrics_http is not None
        self._metrics = f"{server.metrics_http.url}/metrics"

    async def numbers(self) -> Numbers:
        """By name and the values of the labels, in the order of their names."""
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {self.token}"}) as http:
            answer = await http.get(self._metrics)
        return {
            (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    async def until(self, holds: Callable[[Numbers], bool]) -> Numbers:
        deadline = monotonic() + PATIENCE
        while not holds(numbers := await self.numbers()):
            assert monotonic() < deadline, numbers
            await asyncio.sleep(0.1)
        return numbers


@asynccontextmanager
async def running(work: Coroutine[object, object, None]) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Beside the test, which may stop it sooner."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        yield stop
    finally:
        await stop()


@pytest.fixture
async def watched(
    servers: EmbeddedServers, database_url: str, nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Watched]:
    monkeypatch.setattr("rota.entrypoints.metrics.exposition.KEPT", 0.0)
    await asyncio.to_thread(migrate, database_url)
    settings = read_settings(
        port=0,
        postgres_url=database_url,
        nats_url=nats_url,
        rota_data_dir=tmp_path,
        rota_worker_nats_user=servers.nats.worker_user,
        rota_worker_nats_password=servers.nats.worker_password,
        rota_metrics_port=0,
        rota_pool_size=4,
    )
    async with application(settings, ROLES) as server:
        server.watchdog = Unwatched()
        async with running(server.run()) as stop:
            yield Watched(server, await server.listening(), development_token(tmp_path, "default"), stop)


async def test_a_fire_a_miss_a_run_and_a_worker_move_the_numbers_and_are_heard_of(watched: Watched) -> None:
    worker = Worker(watched.url, watched.token, queues=["mail"], concurrency=3)

    @worker.job("letters")
    async def letters(_ctx: object, _payload: object) -> None: ...

    heard: list[Event] = []
    async with Rota(watched.url, watched.token) as api, running(_hear(api, heard)):
        await api.create_job("letters", queue="mail")
        before = await watched.numbers()
        now = datetime.now(UTC)
        target = {"kind": "JOB", "job": "letters"}
        await api.create_schedule(
            "missed",
            trigger={"type": "ONE_SHOT", "startAt": (now - timedelta(hours=1)).isoformat()},
            target=target,
            misfire={"policy": "SKIP", "graceSec": 1},
        )
        await api.create_schedule(
            "fired", trigger={"type": "ONE_SHOT", "startAt": (now + timedelta(seconds=0.5)).isoformat()}, target=target
        )
        await watched.until(lambda now: now["rota_queue_depth", "mail"] == 1 if _knows(now, "mail") else False)
        async with running(worker.run(handle_signals=False)):
            after = await watched.until(lambda now: now["rota_runs_finished_total", "SUCCEEDED"] == 1)
            assert (after["rota_workers", "ONLINE"], after["rota_worker_slots",]) == (1, 3)
        page = await api.list_events(type="scheduler.run.*")
        await watched.until(lambda _: bool(heard) and heard[-1].sequence >= page.items[-1].sequence)

    assert (before["rota_fires_total",], after["rota_fires_total",]) == (0, 1)
    assert after["rota_lateness_seconds_count",] == 1
    assert after["rota_misses_total", "SKIP"] == 1
    assert after["rota_queue_wait_seconds_count", "mail"] == 1
    assert after["rota_leads", "leader"] == after["rota_leads", "relay"] == after["rota_store_up",] == 1
    assert after["rota_leader_epoch",] >= 1
    assert after["rota_pool_connections", "loops"] == 4
    assert after[HTTP, "POST", "/schedules", "2xx"] == 2
    assert [event.sequence for event in heard] == sorted(event.sequence for event in heard)
    assert {event.type for event in heard} >= {f"scheduler.run.{each}" for each in ("queued", "missed", "succeeded")}
    assert [event for event in heard if event.type.startswith("scheduler.run.")] == list(page.items)


async def _hear(api: Rota, heard: list[Event]) -> None:
    async for event in api.follow_events(after=0):
        heard.append(event)


def _knows(numbers: Numbers, queue: str) -> bool:
    return ("rota_queue_depth", queue) in numbers


async def test_a_process_that_stops_ends_its_streams_whole(watched: Watched) -> None:
    headers = {"Authorization": f"Bearer {watched.token}"}
    async with (
        httpx.AsyncClient(base_url=watched.url, headers=headers, timeout=PATIENCE) as http,
        http.stream("GET", "/events/stream") as answer,
    ):
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"

        stopping = asyncio.create_task(watched.stop())

        assert [line.partition(":")[0] async for line in lines if line] == ["id"]
        await stopping
