"""The worker: jobs declared by a decorator, and the loop that serves them."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, TypeVar

import structlog

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.backoff import Backoff
from rota.entrypoints.sdk.jobs import DEFAULT_QUEUE, Job
from rota.entrypoints.sdk.registration import Registrar
from rota.entrypoints.sdk.session import Drain, Ending, Session
from rota.entrypoints.sdk.slots import Slots
from rota.entrypoints.sdk.threads import Threads
from rota.entrypoints.sdk.token import kept_token
from rota.entrypoints.sdk.waiting import first_of

log = structlog.get_logger("rota.worker")

DEFAULT_URL: Final = "http://127.0.0.1:3080"
SETTLED: Final = 30.0
"""Seconds after which a registration that ends is no longer taken for one that cannot last."""

H = TypeVar("H", bound=Callable[..., Any])


class Worker:
    """Takes runs of the jobs declared on it and carries them out, `concurrency` at a time.

    `url` and `token` default to ROTA_URL and ROTA_TOKEN, or to what the file ROTA_TOKEN_FILE holds. With `queues`, only
    jobs of these queues are served, and a job declared without one belongs to the first of them. `tenant` is needed for
    a token of all tenants only.
    A handler is `async def` or `def`; the latter runs in a thread, which cannot be stopped: when its time is over the
    attempt is reported as failed, and its slot stays taken until the thread is done.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        queues: Sequence[str] | None = None,
        capabilities: Sequence[str] | None = None,
        concurrency: int = 20,
        name: str | None = None,
        *,
        tenant: str | None = None,
        drain_timeout: float | timedelta = 30.0,
    ) -> None:
        self._url = url
        self._token = token
        self._tenant = tenant
        self._queues = list(queues) if queues else None
        self._capabilities = list(capabilities or ())
        self._name = name or f"{socket.gethostname()}-{os.getpid()}"
        self._drain_timeout = wire.seconds(drain_timeout)
        self._jobs: dict[str, Job] = {}
        self._slots = Slots(concurrency)
        self._forget()
        self._loop: asyncio.AbstractEventLoop | None = None

    def job(
        self,
        name: str,
        *,
        queue: str | None = None,
        timeout: float | timedelta | None = None,
        max_attempts: int | None = None,
        retry: Mapping[str, Any] | None = None,
        capabilities: Sequence[str] | None = None,
    ) -> Callable[[H], H]:
        """Declares a handler `(ctx, payload)` or `(ctx)`. What is left out here, the server decides.

        The payload is validated by its annotation. `timeout` (seconds) is per attempt; `retry` is the job's `retry` of
        the contract, and `max_attempts` its `maxAttempts`. Raises ValueError for a name declared twice.
        """

        def declare(handler: H) -> H:
            if name in self._jobs:
                raise ValueError(f"job {name!r} is declared twice")
            self._jobs[name] = Job(
                name=name,
                handler=handler,
                queue=queue or self._default_queue,
                timeout=timeout,
                max_attempts=max_attempts,
                retry=retry,
                capabilities=capabilities,
            )
            return handler

        return declare

    @property
    def jobs(self) -> Mapping[str, Job]:
        """What is declared, by name."""
        return MappingProxyType(self._jobs)

    async def run(self, *, url: str | None = None, token: str | None = None, handle_signals: bool = True) -> None:
        """Serves until drained. Raises RotaError if the server refuses the worker for good.

        `url` and `token` go before the worker's own. With `handle_signals`, in the main thread, SIGTERM and SIGINT
        drain; a second one does not wait for what runs.
        """
        self._loop = asyncio.get_running_loop()
        threads = Threads(self._slots.capacity)
        try:
            with _signals(self._loop, self.drain, active=handle_signals):
                async with self._registrar(url, token) as registrar:
                    await self._serve(registrar, threads)
        finally:
            threads.close()
            self._loop = None
            self._forget()

    async def registered(self) -> None:
        """Waits until the server knows this worker and its jobs, in the event loop that it runs in."""
        await self._registered.wait()

    def drain(self) -> None:
        """Asks for the end: no new runs; those running finish, or are handed back after `drain_timeout`.

        Asked again, they are handed back at once. May be called from any thread; returns at once, `run()` when done.
        """
        if self._loop is None:
            self._ask()
        else:
            self._loop.call_soon_threadsafe(self._ask)

    @property
    def _default_queue(self) -> str:
        return self._queues[0] if self._queues else DEFAULT_QUEUE

    def _forget(self) -> None:
        """Events are made anew, because each belongs to the event loop that first waited for it."""
        self._asked = asyncio.Event()
        self._hurried = asyncio.Event()
        self._registered = asyncio.Event()

    def _ask(self) -> None:
        if self._asked.is_set():
            self._hurried.set()
        self._asked.set()

    async def _serve(self, registrar: Registrar, threads: Threads) -> None:
        jobs = self._served()
        drain = Drain(self._asked, self._hurried, self._drain_timeout)
        backoff = Backoff(0.1, 5.0)
        while not self._asked.is_set():
            began = monotonic()
            if await self._serve_once(registrar, jobs, threads, drain) is Ending.DRAINED:
                return
            if monotonic() - began > SETTLED:
                backoff.reset()
            await first_of(self._asked.wait(), timeout=backoff.next())

    async def _serve_once(
        self, registrar: Registrar, jobs: Mapping[str, Job], threads: Threads, drain: Drain
    ) -> Ending:
        registering = asyncio.create_task(registrar.register(self._about(jobs)))
        await first_of(registering, self._asked.wait())
        if registering.cancelled() or not registering.done():
            return Ending.DRAINED
        registration = registering.result()
        self._registered.set()
        log.info("worker_registered", worker_id=registration.worker_id, name=self._name, jobs=list(jobs))
        ending = await Session(registration, registrar, self._name, jobs, self._slots, threads, drain).serve()
        log.info("worker_over", worker_id=registration.worker_id, ending=ending.name)
        return ending

    def _about(self, jobs: Mapping[str, Job]) -> dict[str, Any]:
        about: dict[str, Any] = {"name": self._name, "jobs": [job.as_wire() for job in jobs.values()]}
        if self._capabilities:
            about["capabilities"] = self._capabilities
        return about | {"slots": self._slots.capacity}

    def _served(self) -> dict[str, Job]:
        jobs = {n: job for n, job in self._jobs.items() if self._queues is None or job.queue in self._queues}
        if not jobs:
            raise ValueError("no job is declared for this worker's queues")
        return jobs

    def _registrar(self, url: str | None, token: str | None) -> Registrar:
        token = token or self._token or kept_token()
        if not token:
            raise ValueError("no token: give Worker(token=...) or set ROTA_TOKEN or ROTA_TOKEN_FILE")
        return Registrar(url or self._url or os.environ.get("ROTA_URL") or DEFAULT_URL, token, self._tenant)


@contextmanager
def _signals(loop: asyncio.AbstractEventLoop, drain: Callable[[], None], *, active: bool) -> Iterator[None]:
    if not active or threading.current_thread() is not threading.main_thread():
        yield
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
