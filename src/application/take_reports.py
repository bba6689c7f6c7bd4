"""Intake: what workers report of runs, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rota.application.command import Message
from rota.application.dispatch import Sender
from rota.application.ports.bus import Control, Nudge, WorkerControl
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock
from rota.application.ports.keys import RunKey, WorkerKey
from rota.application.ports.store import Begin, Rejected
from rota.domain.attempt import Progress, RunError
from rota.domain.ids import RunId, TenantId, WorkerId
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.worker import Worker, WorkerState


class ReportKind(StrEnum):
    STARTED = "STARTED"
    PROGRESS = "PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one worker says of one attempt. `place` is the message's in the report stream.

    `cancelling`, with PROGRESS, says that the worker has heard that the run is to stop.
    """

    tenant_id: TenantId
    run_id: RunId
    attempt: int
    worker_id: WorkerId
    kind: ReportKind
    place: int
    result: Json | None = None
    error: RunError | None = None
    retryable: bool = True
    retry_after: timedelta | None = None
    progress: Progress | None = None
    cancelling: bool = False


@dataclass(frozen=True, slots=True)
class TakeReports(Message[None]):
    """In the order of the stream. Taking one twice changes nothing the second time."""

    reports: Sequence[Report]
    unreadable: Sequence[Rejected] = ()


@dataclass(frozen=True, slots=True)
class TakeReportsHandler:
    """A report counts only for the current attempt and from its owner; all others are counted and change nothing."""

    begin: Begin
    clock: Clock
    sender: Sender
    control: WorkerControl
    nudge: Nudge
    at: Checkpoint = pass_by

    async def __call__(self, command: TakeReports) -> None:
        now = self.clock.now()
        async with self.begin() as work:
            runs = await work.runs.load((report.tenant_id, report.run_id) for report in command.reports)
            starters = {
                (report.tenant_id, report.worker_id) for report in command.reports if report.kind is ReportKind.STARTED
            }
            intake = _Intake(runs, await work.workers.load(starters), now)
            for report in command.reports:
                intake.take(report)
            work.reject([*command.unreadable, *intake.rejected])
            self.at("intake.before_commit")
            await work.commit()
        self.at("intake.after_commit")
        self.sender.send(run for run in intake.touched.values() if run.is_queued)
        if any(map(_leader_waits_for, intake.touched.values())):
            self.nudge()
        await self.control.tell(intake.orders)


def _leader_waits_for(run: Run) -> bool:
    """It has to be woken again, or something waits for its end."""
    return run.state is RunState.RETRYING or (run.is_awaited and run.state is not RunState.RUNNING)


class _Intake:
    """One batch, applied in memory; every run it touches was loaded before."""

    def __init__(self, runs: Mapping[RunKey, Run], workers: Mapping[WorkerKey, Worker], now: datetime) -> None:
        self._runs = runs
        self._workers = workers
        self._now = now
        self.touched: dict[RunId, Run] = {}
        self.rejected: list[Rejected] = []
        self.orders: list[tuple[TenantId, WorkerId, Control]] = []

    def take(self, report: Report) -> None:
        run = self._runs.get((report.tenant_id, report.run_id))
        if run is None:
            self._reject(report, "no such run")
        elif not run.is_current(report.attempt, report.worker_id):
            self._refuse(report, run)
        elif report.kind is ReportKind.STARTED:
            self._start(report, run)
        elif report.kind is ReportKind.PROGRESS and run.is_queued:
            self._reject(report, "nobody has started the attempt")
        else:
            self.touched[run.id] = run
            if run.is_queued:  # its STARTED was overtaken or lost, and is implied
                run.start(report.worker_id, report.place, self._now)
            self._apply(report, run)

    def _start(self, report: Report, run: Run) -> None:
        if run.state is RunState.RUNNING:
            self._reject(report, "said before")
            return
        self.touched[run.id] = run
        worker = self._workers.get((report.tenant_id, report.worker_id))
        if worker is None or worker.state is WorkerState.OFFLINE:
            self._tell(report, Control("REGISTER", "the worker was given up"))
            run.release(self._now, "taken by a worker that had been given up")
        else:
            run.start(report.worker_id, report.place, self._now)

    def _apply(self, report: Report, run: Run) -> None:
        match report.kind:
            case ReportKind.SUCCEEDED:
                run.succeed(report.result, self._now)
            case ReportKind.FAILED:
                error = report.error or RunError("Unknown", "the worker gave no reason")
                run.fail(error, self._now, retryable=report.retryable, retry_after=report.retry_after)
            case ReportKind.CANCELLED:
                run.stop(self._now)
            case ReportKind.RELEASED:
                run.release(self._now, "handed back by a draining worker")
            case ReportKind.PROGRESS:
                self._note(report, run)

    def _note(self, report: Report, run: Run) -> None:
        if report.cancelling:
            run.acknowledge_cancel(self._now)
        if report.progress is not None:
            run.note_progress(report.progress, self._now)

    def _refuse(self, report: Report, run: Run) -> None:
        """Not current: the worker must stop, unless it is only repeating itself."""
        self._reject(report, f"not current: the run is {run.state}, attempt {run.attempt}")
        repeats = report.attempt == run.attempt and report.worker_id == run.worker_id
        if report.kind is ReportKind.STARTED and not repeats:
            self._tell(report, Control("LOST", "the attempt is not this worker's", run.id, report.attempt))

    def _tell(self, report: Report, order: Control) -> None:
        self.orders.append((report.tenant_id, report.worker_id, order))

    def _reject(self, report: Report, reason: str) -> None:
        self.rejected.append(
            Rejected(
                tenant_id=report.tenant_id,
                reason=reason,
                run_id=report.run_id,
                attempt=report.attempt,
                worker_id=report.worker_id,
                kind=report.kind.value,
            )
        )
