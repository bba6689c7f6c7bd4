"""What this process has done, counted in memory since it began."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from rota.application.ports.meter import Recorded
from rota.domain.aggregate import Aggregate, DomainEvent
from rota.domain.run import Run
from rota.domain.run_events import (
    Cause,
    RunCancelled,
    RunCreated,
    RunDead,
    RunEvent,
    RunFailed,
    RunQueued,
    RunSkipped,
    RunStarted,
    RunSucceeded,
)
from rota.domain.schedule_events import RunsMissed

LATENESS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
WAITS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
LAGS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

MOST_QUEUES: Final = 100
OTHER_QUEUES: Final = "_other"
"""Names of queues are the tenants' own and may be many: those beyond the first hundred are counted together."""
DELIVERIES: Final = "_deliveries"
"""What Rota delivers itself stands in no queue. Neither name can be a queue's."""


class Histogram:
    """Values by how large they are. A bound belongs to what lies below it; the last bucket has none."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self.counts)


class Tally:
    """A `Meter`, and what else is counted where it happens.

    `lateness` is `firedAt - dueAt` of the due times fired, `waits` by queue from QUEUED to the start, `loop_lag` how
    much later than asked the event loop came round; all in seconds.
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.made: Counter[Cause] = Counter()
        self.fires = 0
        self.lateness = Histogram(LATENESS)
        self.misses: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.failed_attempts = 0
        self.rejected_reports = 0
        self.waits: dict[str, Histogram] = {}
        self.loop_lag = Histogram(LAGS)
        self._notes: Mapping[type[DomainEvent], Callable[[Aggregate, int, DomainEvent], None]] = {
            RunCreated: self._note_made,
            RunQueued: self._note_made,
            RunSkipped: self._note_skipped,
            RunStarted: self._note_started,
            RunFailed: self._note_failed,
            RunSucceeded: self._note_ended,
            RunDead: self._note_ended,
            RunCancelled: self._note_ended,
            RunsMissed: self._note_missed,
        }

    def committed(self, recorded: Sequence[Recorded], rejected: int) -> None:
        self.rejected_reports += rejected
        for aggregate, seq, event in recorded:
            self.events[event.type] += 1
            note = self._notes.get(type(event))
            if note is not None:
                note(aggregate, seq, event)

    def _note_made(self, run: Aggregate, seq: int, event: DomainEvent) -> None:
        """Of a run's first event only: it may be queued again."""
        if seq > 1:
            return
        assert isinstance(run, Run)
        assert isinstance(event, RunEvent)
        self.made[event.cause] += 1
        if event.cause is Cause.SCHEDULE:
            self.fires += 1
            self.lateness.observe(_seconds((event.fired_at or event.at) - event.due_at))

    def _note_skipped(self, run: Aggregate, seq: int, event: DomainEvent) -> None:
        assert isinstance(event, RunEvent)
        if seq == 1:
            self.made[event.cause] += 1
        self.ended[event.state.value] += 1

    def _note_started(self, run: Aggregate, seq: int, event: DomainEvent) -> None:
        assert isinstance(run, Run)
        if run.queued_at is not None and run.queued_at <= event.at:
            self._waits_of(run).observe(_seconds(event.at - run.queued_at))

    def _note_failed(self, run: Aggregate, seq: int, event: DomainEvent) -> None:
        self.failed_attempts += 1

    def _note_ended(self, run: Aggregate, seq: int, event: DomainEvent) -> None:
        assert isinstance(event, RunEvent)
        self.ended[event.state.value] += 1

    def _note_missed(self, schedule: Aggregate, seq: int, event: DomainEvent) -> None:
        assert isinstance(event, RunsMissed)
        self.misses[event.rule] += event.span.count

    def _waits_of(self, run: Run) -> Histogram:
        queue = run.job.queue if run.job else DELIVERIES
        if queue not in self.waits and len(self.waits) >= MOST_QUEUES:
            queue = OTHER_QUEUES
        if queue not in self.waits:
            self.waits[queue] = Histogram(WAITS)
        return self.waits[queue]


def _seconds(length: timedelta) -> float:
    return max(length.total_seconds(), 0.0)
