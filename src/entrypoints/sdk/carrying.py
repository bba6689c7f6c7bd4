"""From a claimed message to the final report, a set at a time.

A group of claimed messages becomes one message of STARTED reports. When the bus has stored it, the work messages are
acknowledged and the handlers begin. So no run is carried out unannounced, and none is lost in between: until its
STARTED is stored, the bus still has its message.
"""

from asyncio import CancelledError, get_running_loop
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Final

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.bus import Bus
from rota.entrypoints.sdk.execution import Execution
from rota.entrypoints.sdk.fetching import Fetcher
from rota.entrypoints.sdk.jobs import Job
from rota.entrypoints.sdk.outcome import Outcome, final_report, raised, report
from rota.entrypoints.sdk.reporting import Entry, Reports
from rota.entrypoints.sdk.roster import Roster
from rota.entrypoints.sdk.slots import Slots
from rota.entrypoints.sdk.threads import Threads
from rota.entrypoints.sdk.work import Attempt, Stage, Stop

GROUPS_OUT: Final = 2
"""Messages of STARTED reports under way at once: more would only be smaller."""
TOUCH: Final = wire.ACK_WAIT / 3
"""Seconds after which the bus is told again that a message is being worked on."""
PROGRESS_PAUSE: Final = 0.2
"""Seconds over which the progress of one run is collected; the latest is sent."""
_UNWANTED: Final = frozenset({Stop.CANCEL, Stop.LOST})


class Carrier:
    """Carries the attempts of one registration."""

    def __init__(
        self,
        worker_id: str,
        jobs: Mapping[str, Job],
        bus: Bus,
        roster: Roster,
        slots: Slots,
        threads: Threads,
        fetcher: Fetcher,
        reports: Reports,
    ) -> None:
        self._worker_id = worker_id
        self._jobs = jobs
        self._bus = bus
        self._roster = roster
        self._slots = slots
        self._threads = threads
        self._fetcher = fetcher
        self._reports = reports
        self._announced: deque[Attempt] = deque()
        self._progress: dict[Attempt, tuple[float, str | None]] = {}

    async def turn(self) -> None:
        """Moves on whatever can move on."""
        await self._run_announced()
        await self._announce_claimed()

    def stored(self, entries: list[Entry]) -> None:
        """The bus has these reports."""
        for entry in entries:
            if entry.kind == "STARTED":
                self._announced.append(entry.attempt)
            elif entry.kind != "PROGRESS" and entry.attempt.stage is Stage.ENDED:
                self._roster.close(entry.attempt)

    def stop(self, attempt: Attempt, why: Stop) -> None:
        """Ends an attempt before it is done, wherever it stands. What has not begun never does.

        What is only claimed is not concerned, unless it is cancelled or lost.
        """
        if attempt.stage is Stage.STARTING or (attempt.stage is Stage.CLAIMED and why in _UNWANTED):
            attempt.stop = why  # takes effect when its STARTED is stored, or instead of it
        elif attempt.execution is not None:
            attempt.execution.stop(why)
        if why is Stop.CANCEL and attempt.stage is Stage.RUNNING:
            self._acknowledge(attempt)
        if why is Stop.LOST and attempt.stage is not Stage.CLAIMED:
            self._roster.close(attempt)  # no longer named

    def release_all(self) -> None:
        """Hands back whatever is still being carried out."""
        for attempt in self._roster:
            self.stop(attempt, Stop.RELEASE)

    def abandon_all(self) -> None:
        """Nothing here is this worker's any more: handlers are ended, and nothing is said about them."""
        for attempt in self._roster:
            if attempt.execution is not None:
                attempt.execution.stop(Stop.LOST)
            self._roster.give_back(attempt)
        self._slots.forget_waiting()

    async def look_after(self, now: float) -> None:
        """Keeps messages that are still held from going to others."""
        for attempt in self._roster:
            if attempt.stage <= Stage.STARTING and now - attempt.touched >= TOUCH:
                attempt.touched = now
                await self._bus.send(attempt.reply, wire.IN_PROGRESS)

    async def _run_announced(self) -> None:
        while self._announced:
            attempt = self._announced.popleft()
            await self._settle(attempt)
            self._slots.starting -= 1
            if attempt.stop is None:
                self._run(attempt)
            elif attempt.stop is not Stop.LOST:
                self._pass_by(attempt, attempt.stop)

    async def _settle(self, attempt: Attempt) -> None:
        """The bus may forget its message."""
        for reply in (attempt.reply, *attempt.copies):
            await self._bus.send(reply, wire.ACK)

    def _pass_by(self, attempt: Attempt, why: Stop) -> None:
        """Ends what has not begun."""
        if why is Stop.CANCEL:
            self._acknowledge(attempt)
        self._finish(attempt, raised(CancelledError(), why, attempt.item.timeout))

    def _run(self, attempt: Attempt) -> None:
        attempt.stage = Stage.RUNNING
        finish, tell = partial(self._finish, attempt), partial(self._note_progress, attempt)
        execution = Execution(self._jobs[attempt.job], attempt.item, self._slots, finish, tell)
        attempt.execution = execution
        execution.start(self._threads)

    async def _announce_claimed(self) -> None:
        if self._slots.claimed == 0 or self._reports.starts_out >= GROUPS_OUT:
            return
        group = self._fetcher.take(self._slots.may_start())
        self._announce([attempt for attempt in group if attempt.stop is not Stop.LOST])
        for attempt in group:
            if attempt.stop is Stop.LOST:  # somebody else's by now, or over
                await self._settle(attempt)
                self._roster.close(attempt)

    def _announce(self, group: list[Attempt]) -> None:
        if not group:
            return
        self._slots.starting += len(group)
        for attempt in group:
            attempt.stage = Stage.STARTING  # named from now on
        self._reports.start([Entry(each, "STARTED", report(each.item, self._worker_id, "STARTED")) for each in group])

    def _finish(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.stage = Stage.ENDED
        self._progress.pop(attempt, None)
        self._reports.add(Entry(attempt, outcome.kind, final_report(attempt.item, self._worker_id, outcome)))

    def _note_progress(self, attempt: Attempt, fraction: float, note: str | None) -> None:
        if attempt.stage is not Stage.RUNNING:
            return
        if attempt not in self._progress:
            get_running_loop().call_later(PROGRESS_PAUSE, self._send_progress, attempt)
        self._progress[attempt] = (fraction, note)

    def _send_progress(self, attempt: Attempt) -> None:
        if attempt in self._progress:  # else it has ended meanwhile, or said so already
            self._report_progress(attempt)

    def _acknowledge(self, attempt: Attempt) -> None:
        """Tells, once, that the order to cancel has come here."""
        if not attempt.is_cancelling:
            attempt.is_cancelling = True
            self._report_progress(attempt, cancelling=True)

    def _report_progress(self, attempt: Attempt, **more: object) -> None:
        """With the latest progress that has not been sent, if there is any."""
        if attempt in self._progress:
            fraction, note = self._progress.pop(attempt)
            more["progress"] = {"fraction": fraction, "note": None if note is None else wire.clean(note, 1_000)}
        self._reports.add(Entry(attempt, "PROGRESS", report(attempt.item, self._worker_id, "PROGRESS", **more)))
