"""One handler at work.

    running -> ended                         it returned or raised: its outcome is reported, its slot is free
    running -> asked to end -> ended         cancelled, out of time, released by a drain
    running -> asked to end -> answered for  it did not end: reported all the same, its slot stays taken until it does
    running -> lost                          not ours any more: nothing is reported, it is left to end

A coroutine is interrupted and has a moment to clean up. A thread cannot be interrupted: it is answered for at once when
its time is over or the worker stops, and of its later outcome nothing is told.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from rota.entrypoints.sdk.context import JobContext, Tell
from rota.entrypoints.sdk.jobs import Job
from rota.entrypoints.sdk.outcome import Outcome, raised, returned
from rota.entrypoints.sdk.slots import Slots
from rota.entrypoints.sdk.threads import Threads
from rota.entrypoints.sdk.work import Stop, WorkItem

CLEAN_UP = 2.0
"""Seconds an interrupted coroutine has until it is answered for; the server itself waits 5."""

Report = Callable[[Outcome], None]


class Execution:
    """Occupies one slot from its start until its handler has really ended."""

    __slots__ = (
        "_alarm",
        "_ctx",
        "_item",
        "_job",
        "_limit",
        "_report",
        "_slots",
        "_started",
        "_stop",
        "_task",
        "ended",
    )

    def __init__(self, job: Job, item: WorkItem, slots: Slots, report: Report, tell: Tell) -> None:
        self._job = job
        self._item = item
        self._limit = item.time_limit(datetime.now(UTC))
        self._slots = slots
        self._report: Report | None = report
        self._ctx = JobContext(item, tell if job.is_async else _from_thread(tell))
        self._stop: Stop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.ended = False

    def start(self, threads: Threads) -> None:
        self._slots.running += 1
        self._started = monotonic()
        loop = asyncio.get_running_loop()
        if self._job.is_async:
            self._task = loop.create_task(self._job.call(self._ctx, self._item.payload))
            self._task.add_done_callback(self._task_ended)
        else:
            threads.submit(lambda: self._job.call_sync(self._ctx, self._item.payload), self._ended)
        if self._limit is not None:
            self._alarm = loop.call_later(self._limit, self.stop, Stop.TIMEOUT)

    def stop(self, why: Stop) -> None:
        """Asks the handler to end. The first reason counts; only LOST goes before another."""
        if self.ended or self._report is None or (self._stop is not None and why is not Stop.LOST):
            return
        self._stop = why
        self._ctx.ask_to_end()
        if why is Stop.LOST:
            self._forget()
        elif why is not Stop.CANCEL:
            self._answer_within(CLEAN_UP if self._task is not None else 0.0)
        if self._task is not None:
            self._task.cancel()

    async def settled(self, within: float) -> None:
        """Waits until a coroutine has really ended, `within` seconds at the most; a thread is not waited for."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within)

    def _answer_within(self, grace: float) -> None:
        self._silence()
        self._alarm = asyncio.get_running_loop().call_later(grace, self._answer_for)

    def _answer_for(self) -> None:
        self._say(raised(TimeoutError(), self._stop, self._limit))

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self._ended(None, asyncio.CancelledError("the handler was cancelled from within"))
        else:
            error = task.exception()
            self._ended(None if error else task.result(), error)

    def _ended(self, value: Any, error: BaseException | None) -> None:
        self.ended = True
        self._slots.free(monotonic() - self._started)
        if self._report is not None:
            self._say(returned(value) if error is None else raised(error, self._stop, self._limit))

    def _say(self, outcome: Outcome) -> None:
        report = self._report
        self._forget()
        if report is not None:
            report(outcome)

    def _forget(self) -> None:
        self._report = None
        self._silence()

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _from_thread(tell: Tell) -> Tell:
    loop = asyncio.get_running_loop()

    def told(fraction: float, note: str | None) -> None:
        loop.call_soon_threadsafe(tell, fraction, note)

    return told
