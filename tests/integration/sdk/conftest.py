"""A stage for workers: a real bus with the restricted worker credential, and the test as everybody else.

The test plays the HTTP server (register, drain), the leader (publishes work), and the intake (reads reports, answers
heartbeats). Nothing waits by sleeping: what comes in is kept in `Watched` lists, which wake whoever waits for them.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

import nats
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy
from tests.support.ports import free_port

from rota import Worker

T = TypeVar("T")
SERVER = Path(sys.executable).with_name("nats-server")
TENANT = "acme"
TOKEN = "e30.eyJ0ZW5hbnQiOiJhY21lIn0.x"  # a JWT body of {"tenant":"acme"}, signed by nobody
PATIENCE = 20.0

CONFIG = """
listen: "127.0.0.1:%(port)d"
jetstream { store_dir: "%(store)s" }
authorization { users: [
  { user: operator, password: operator }
  { user: worker, password: worker, permissions: {
      publish: ["scheduler.report.*", "scheduler.beat.*", "$JS.API.CONSUMER.MSG.NEXT.ROTA_WORK.*",
                "$JS.API.CONSUMER.INFO.ROTA_WORK.*", "$JS.API.STREAM.INFO.ROTA_REPORTS", "$JS.ACK.ROTA_WORK.>"]
      subscribe: ["_INBOX.worker.>", "scheduler.control.>"] } }
] }
"""


class Watched(Generic[T]):
    """A list that can be waited on."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self._grown = asyncio.Condition()

    async def add(self, item: T) -> None:
        async with self._grown:
            self.items.append(item)
            self._grown.notify_all()

    async def until(self, holds: Callable[[list[T]], bool]) -> list[T]:
        async with asyncio.timeout(PATIENCE), self._grown:
            await self._grown.wait_for(lambda: holds(self.items))
        return list(self.items)

    async def next(self, holds: Callable[[T], bool]) -> T:
        """The first item from now on for which it holds."""
        seen = len(self.items)
        items = await self.until(lambda items: any(holds(item) for item in items[seen:]))
        return next(item for item in items[seen:] if holds(item))


class NatsServer:
    """One nats-server process on a port and store of its own, which can be killed and brought back."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._store = folder / "store"
        self._log = folder / "log"
        self._config = folder / "nats.conf"
        self._config.write_text(CONFIG % {"port": self.port, "store": self._store})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(SERVER), "-c", str(self._config), "-l", str(self._log)]
        self._process = subprocess.Popen(command)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def wipe(self) -> None:
        shutil.rmtree(self._store)

    async def operator(self) -> Client:
        """A connection that may do everything; waits until the server is there."""
        client = Client()
        await client.connect(
            self.url,
            user="operator",
            password="operator",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.05,  # type: ignore[arg-type] # nats-py sleeps for it
            error_cb=_ignore,
        )
        return client


async def _ignore(_error: Exception) -> None:
    return


class Front:
    """The HTTP side: answers register and drain, and remembers what it was asked."""

    def __init__(self, bus: NatsServer) -> None:
        self.registers: Watched[dict[str, Any]] = Watched()
        self.drains: Watched[str] = Watched()
        self.headers: list[dict[str, str]] = []
        self.refusals: list[JSONResponse] = []
        self.password = "worker"
        self.app = FastAPI()
        self.app.post("/api/v1/workers/register", status_code=201)(self._register)
        self.app.post("/api/v1/workers/{worker_id}/drain", status_code=202)(self._drain)
        self._bus = bus

    async def _register(self, request: Request) -> Any:
        body = await request.json()
        self.headers.append(dict(request.headers))
        if self.refusals:
            await self.registers.add(body | {"workerId": None})
            return self.refusals.pop(0)
        worker_id = str(uuid4())
        await self.registers.add(body | {"workerId": worker_id})
        lanes = [{"job": j["name"], "stream": "ROTA_WORK", "consumer": consumer(j["name"])} for j in body["jobs"]]
        credentials = {"user": "worker", "password": self.password}
        return {
            "workerId": worker_id,
            "natsUrl": self._bus.url,
            "credentials": credentials,
            "heartbeatSec": 0.2,
            "lanes": lanes,
        }

    async def _drain(self, worker_id: str) -> dict[str, str]:
        await self.drains.add(worker_id)
        return {}


def consumer(job: str) -> str:
    """A job's id, as the leader would have given it."""
    return job.encode().hex()


class Stage:
    """Leader and intake, on the operator's connection."""

    def __init__(self, bus: NatsServer, front: Front, client: Client) -> None:
        self.bus = bus
        self.front = front
        self.client = client
        self.js = client.jetstream()
        self.reports: Watched[dict[str, Any]] = Watched()
        self.beats: Watched[dict[str, Any]] = Watched()
        self.orders: list[dict[str, Any]] = []
        self.is_deaf = False
        self.url = ""

    async def provision(self, *jobs: str) -> None:
        await self.js.add_stream(
            name="ROTA_WORK", subjects=["scheduler.work.>"], retention=RetentionPolicy.WORK_QUEUE, duplicate_window=120
        )
        await self.js.add_stream(name="ROTA_REPORTS", subjects=["scheduler.report.*"])
        for job in jobs:
            await self.add_consumer(job)

    async def add_consumer(self, job: str) -> None:
        name = consumer(job)
        await self.js.add_consumer(
            "ROTA_WORK",
            ConsumerConfig(
                durable_name=name,
                filter_subject=f"scheduler.work.{TENANT}.*.{name}",
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=5,
                max_ack_pending=10_000,
            ),
        )

    async def send(self, job: str, payload: Any = None, *, run_id: str = "", attempt: int = 1, **more: Any) -> str:
        """Publishes one work message; answers the run's id."""
        run_id = run_id or str(uuid4())
        work = {
            "runId": run_id,
            "attempt": attempt,
            "tenantId": TENANT,
            "job": job,
            "queue": "default",
            "payload": payload,
            "scheduledFor": "2026-01-02T03:04:05Z",
            "dueAt": "2026-01-02T03:04:06.5Z",
            "timeoutSec": 60,
            "deadline": None,
            "idempotencyKey": f"key-{run_id}",
            "correlationId": "corr",
            "traceparent": None,
        } | more
        await self.send_raw(job, json.dumps(work).encode())
        return run_id

    async def send_raw(self, job: str, data: bytes) -> None:
        await self.js.publish(
            f"scheduler.work.{TENANT}.default.{consumer(job)}", data, headers={"Nats-Msg-Id": str(uuid4())}
        )

    async def tell(self, worker_id: str, *orders: dict[str, Any]) -> None:
        await self.client.publish(f"scheduler.control.{TENANT}.{worker_id}", json.dumps(orders).encode())

    async def reports_made(self) -> str:
        """When ROTA_REPORTS was made, as the bus says it."""
        info = await self.client.request("$JS.API.STREAM.INFO.ROTA_REPORTS", b"")
        created: str = json.loads(info.data)["created"]
        return created

    async def read_reports(self) -> None:
        """Reads ROTA_REPORTS for ever, through restarts and new streams."""
        after, created = 0, None
        while True:
            with contextlib.suppress(nats.errors.Error, nats.js.errors.Error, OSError):
                info = await self.js.stream_info("ROTA_REPORTS")
                if info.created != created:
                    after, created = 0, info.created
                while after < info.state.last_seq:
                    await self._keep(await self.js.get_msg("ROTA_REPORTS", after + 1))
                    after += 1
            await asyncio.sleep(0.01)

    async def _keep(self, message: Any) -> None:
        for report in json.loads(message.data):
            await self.reports.add(report | {"msgId": message.headers["Nats-Msg-Id"]})

    async def answer_beat(self, message: Msg) -> None:
        await self.beats.add(json.loads(message.data))
        if not self.is_deaf:
            orders, self.orders = self.orders, []
            await message.respond(json.dumps(orders).encode())

    async def pending(self, job: str) -> tuple[int, int]:
        """Messages of a job that nobody has, and that somebody has not acknowledged."""
        info = await self.js.consumer_info("ROTA_WORK", consumer(job))
        return info.num_pending or 0, info.num_ack_pending or 0

    async def take(self, job: str) -> None:
        """Gets a message of the job, sooner than an unacknowledged one would come again."""
        pull = await self.js.pull_subscribe_bind(consumer(job), "ROTA_WORK")
        [message] = await pull.fetch(1, timeout=3)
        await message.ack()

    async def until_reported(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """All reports of a kind, once there are as many."""

        def of_kind(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [report for report in reports if report["kind"] == kind]

        return of_kind(await self.reports.until(lambda reports: len(of_kind(reports)) >= count))

    async def until_settled(self, job: str) -> None:
        """Waits until the bus holds no message of the job."""
        async with asyncio.timeout(PATIENCE):
            while await self.pending(job) != (0, 0):
                await asyncio.sleep(0.01)


Serve = Callable[[Worker], Awaitable[None]]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def front(bus: NatsServer) -> AsyncIterator[Front]:
    yield Front(bus)


@pytest.fixture
async def url(front: Front) -> AsyncIterator[str]:
    """Where the HTTP side listens."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(front.app, "127.0.0.1", port, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE):
        while not server.started:
            await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture
async def stage(bus: NatsServer, front: Front, url: str) -> AsyncIterator[Stage]:
    client = await bus.operator()
    stage = Stage(bus, front, client)
    stage.url = url
    await client.subscribe("scheduler.beat.*", cb=stage.answer_beat)
    reading = asyncio.create_task(stage.read_reports())
    yield stage
    reading.cancel()
    with contextlib.suppress(OSError):  # where the test has just killed the bus
        await client.close()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Runs workers beside the test, and drains at its end those that still run."""
    running: list[tuple[Worker, asyncio.Task[None]]] = []

    async def begin(worker: Worker) -> None:
        task = asyncio.create_task(worker.run(handle_signals=False))
        running.append((worker, task))

    yield begin
    for worker, task in running:
        if not task.done():
            worker.drain()
            worker.drain()
        await asyncio.wait_for(task, PATIENCE)
