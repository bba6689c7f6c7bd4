"""The bench, for tests without an event loop."""

from __future__ import annotations

from typing import Self, Unpack

from rota.entrypoints.sdk.definitions import Json
from rota.entrypoints.sdk.worker import Worker
from rota.testing.bench import Circumstances, Trial, WorkerTest
from rota.testing.loop_thread import LoopThread
from rota.testing.outcome import Outcome, Progress


class WorkerTestSync:
    """As `WorkerTest`, for tests without an event loop: handlers run in the loop of a thread of their own.

    with WorkerTestSync(worker) as bench:
        outcome = bench.run("reports.daily", {"kind": "full"})
    """

    def __init__(self, worker: Worker) -> None:
        self._bench = WorkerTest(worker)

    def __enter__(self) -> Self:
        self._loop = LoopThread()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._bench.__aexit__())
        self._loop.close()

    def run(self, job: str, payload: Json = None, **circumstances: Unpack[Circumstances]) -> Outcome:
        """One attempt from its start to its end. Raises ValueError for a job that the worker does not know."""
        return self._loop.run(self._bench.run(job, payload, **circumstances))

    def start(self, job: str, payload: Json = None, **circumstances: Unpack[Circumstances]) -> TrialSync:
        """An attempt that goes on beside the test, which may cancel it."""
        return TrialSync(self._loop.call(lambda: self._bench.start(job, payload, **circumstances)), self._loop)


class TrialSync:
    """As `Trial`."""

    def __init__(self, trial: Trial, loop: LoopThread) -> None:
        self._trial = trial
        self._loop = loop

    def cancel(self) -> None:
        self._loop.call(self._trial.cancel)

    def drain(self) -> None:
        self._loop.call(self._trial.drain)

    def progressed(self, value: float = 0.0) -> Progress:
        return self._loop.run(self._trial.progressed(value))

    def outcome(self) -> Outcome:
        return self._loop.run(self._trial.outcome())
