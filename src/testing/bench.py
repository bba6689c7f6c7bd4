"""Carrying out a worker's handlers with no server, by the code that carries them out in production."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Self, TypedDict, Unpack
from uuid import uuid4

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.call import encode
from rota.entrypoints.sdk.definitions import Json
from rota.entrypoints.sdk.execution import CLEAN_UP, Execution
from rota.entrypoints.sdk.jobs import Job
from rota.entrypoints.sdk.outcome import Outcome as Reported
from rota.entrypoints.sdk.slots import Slots
from rota.entrypoints.sdk.threads import Threads
from rota.entrypoints.sdk.work import Stop, WorkItem, read_work
from rota.entrypoints.sdk.worker import Worker
from rota.testing.outcome import Outcome, Progress, outcome_of

TIMEOUT: Final = 300.0
"""Seconds that the server gives an attempt where nobody says otherwise."""
GRACE: Final = 10.0
"""Seconds after which the server counts a cancelled run as ended, whatever its worker does."""
MOST: Final = 1_000


class Circumstances(TypedDict, total=False):
    """What the handler finds in its context. `timeout` (seconds) goes before the job's own."""

    attempt: int
    run_id: str
    scheduled_for: datetime
    due_at: datetime
    timeout: float | timedelta
    idempotency_key: str
    correlation_id: str
    tenant: str


class WorkerTest:
    """A bench for the handlers of a worker.

        async with WorkerTest(worker) as bench:
            outcome = await bench.run("reports.daily", {"kind": "full"}, attempt=2)

        assert outcome.result == {"rows": 7}

    The payload goes through JSON and is validated by the handler's annotation, the result goes through JSON and its
    limits; `Retry`, `Abort`, other exceptions, time limits and cancellation become what the server would be told.
    """

    def __init__(self, worker: Worker) -> None:
        self._jobs = worker.jobs
        self._slots = Slots(MOST)
        self._threads = Threads(MOST)
        self._trials: list[Trial] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Handlers that still run are interrupted; a thread is left to end by itself."""
        for trial in self._trials:
            await trial.abandon()
        self._threads.close()

    async def run(self, job: str, payload: Json = None, **circumstances: Unpack[Circumstances]) -> Outcome:
        """One attempt from its start to its end. Raises ValueError for a job that the worker does not know."""
        return await self.start(job, payload, **circumstances).outcome()

    def start(self, job: str, payload: Json = None, **circumstances: Unpack[Circumstances]) -> Trial:
        """An attempt that goes on beside the test, which may cancel it."""
        declared = self._jobs.get(job)
        if declared is None:
            known = ", ".join(sorted(self._jobs)) or "none"
            raise ValueError(f"no job {job!r} is declared on this worker; there are: {known}")
        trial = Trial()
        item = _work_item(declared, payload, circumstances)
        trial.begin(lambda: Execution(declared, item, self._slots, trial.end, trial.tell), self._threads)
        self._trials.append(trial)
        return trial


class Trial:
    """One attempt at work."""

    def __init__(self) -> None:
        self._progress: list[Progress] = []
        self._news = asyncio.Event()
        self._reported: Reported | None = None
        self._patience: float | None = None

    def cancel(self) -> None:
        """As the server does for `cancel_run`: a coroutine is interrupted, a thread finds `ctx.cancelled` true."""
        self._patience = GRACE
        self._execution.stop(Stop.CANCEL)

    def drain(self) -> None:
        """As a worker does that stops and has waited long enough: the attempt is handed back, RELEASED."""
        self._execution.stop(Stop.RELEASE)

    async def progressed(self, value: float = 0.0) -> Progress:
        """Waits until the handler has told that it is so far. Raises RuntimeError if it ends before."""
        while True:
            told = next((each for each in self._progress if each.value >= value), None)
            if told is not None:
                return told
            if self._reported is not None:
                raise RuntimeError(f"it has ended, {self._reported.kind}, and never told progress {value:g}")
            await self._next_news()

    async def outcome(self) -> Outcome:
        """Waits for its end. Raises TimeoutError for one that goes on, although cancelled, beyond the server's grace:
        its run would be CANCELLED while it still works.
        """
        try:
            async with asyncio.timeout(self._patience):
                while self._reported is None:
                    await self._next_news()
        except TimeoutError:
            raise TimeoutError(
                f"it goes on {GRACE:g} s after it was cancelled: does it look at ctx.cancelled?"
            ) from None
        return outcome_of(self._reported, self._progress)

    # For the bench

    def begin(self, make: Callable[[], Execution], threads: Threads) -> None:
        self._execution = make()
        self._execution.start(threads)

    def tell(self, value: float, note: str | None) -> None:
        self._progress.append(Progress(value, note))
        self._news.set()

    def end(self, reported: Reported) -> None:
        self._reported = reported
        self._news.set()

    async def abandon(self) -> None:
        self._execution.stop(Stop.LOST)
        await self._execution.settled(CLEAN_UP)

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()


def _work_item(job: Job, payload: Json, said: Circumstances) -> WorkItem:
    """The message that the server would send, read as the worker reads it."""
    run_id = said.get("run_id") or str(uuid4())
    scheduled_for = said.get("scheduled_for") or datetime.now(UTC)
    timeout = said.get("timeout", TIMEOUT if job.timeout is None else job.timeout)
    message = {
        "runId": run_id,
        "attempt": said.get("attempt", 1),
        "tenantId": said.get("tenant", "default"),
        "job": job.name,
        "queue": job.queue,
        "payload": payload,
        "scheduledFor": scheduled_for,
        "dueAt": said.get("due_at") or scheduled_for,
        "timeoutSec": wire.seconds(timeout),
        "deadline": None,
        "idempotencyKey": said.get("idempotency_key") or run_id,
        "correlationId": said.get("correlation_id"),
        "traceparent": None,
    }
    return read_work(encode(message))
