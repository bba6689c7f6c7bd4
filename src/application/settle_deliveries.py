"""What became of deliveries, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from rota.application.claim_deliveries import is_carried
from rota.application.command import Message
from rota.application.dispatch import Sender
from rota.application.ports.bus import Nudge
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock
from rota.application.ports.deliveries import Delivered, Outcome, Parcel, Undelivered
from rota.application.ports.store import Begin, Rejected
from rota.domain.ids import WorkerId
from rota.domain.run import Run
from rota.domain.run_events import RunState

UNTRIED_PAUSE = timedelta(seconds=1)
"""So long waits what was not even tried, where its carrier does not know better."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Given up because somebody asked for it."""


@dataclass(frozen=True, slots=True)
class HandedBack:
    """Given up by a carrier that ends: somebody else shall take it, and the attempt does not count."""


Ending: TypeAlias = Outcome | Stopped | HandedBack


@dataclass(frozen=True, slots=True)
class Ended:
    parcel: Parcel
    ending: Ending


@dataclass(frozen=True, slots=True)
class SettleDeliveries(Message[None]):
    """Settling one twice changes nothing the second time."""

    carrier: WorkerId
    ended: Sequence[Ended]


@dataclass(frozen=True, slots=True)
class SettleDeliveriesHandler:
    """An ending counts only for the current attempt and from its carrier; all others are counted, change nothing."""

    begin: Begin
    clock: Clock
    sender: Sender
    nudge: Nudge
    at: Checkpoint = pass_by

    async def __call__(self, command: SettleDeliveries) -> None:
        now = self.clock.now()
        touched: list[Run] = []
        rejected: list[Rejected] = []
        async with self.begin() as work:
            runs = await work.runs.load((ended.parcel.tenant_id, ended.parcel.run_id) for ended in command.ended)
            for ended in command.ended:
                run = runs.get((ended.parcel.tenant_id, ended.parcel.run_id))
                if is_carried(run, ended.parcel, command.carrier):
                    _apply(ended.ending, run, now)
                    touched.append(run)
                else:
                    rejected.append(_reject(ended, run, command.carrier))
            work.reject(rejected)
            self.at("settle.before_commit")
            await work.commit()
        self.at("settle.after_commit")
        self._pass_on(touched)

    def _pass_on(self, runs: Sequence[Run]) -> None:
        """To those who wait for it: carriers for what is queued again, the leader for backoffs, room and ends."""
        self.sender.send(run for run in runs if run.is_queued)
        if any(run.is_awaited or run.state is RunState.RETRYING for run in runs):
            self.nudge()


def _apply(ending: Ending, run: Run, now: datetime) -> None:
    match ending:
        case Delivered(answer):
            run.succeed(answer, now)
        case Undelivered(was_tried=False):
            run.postpone(ending.retry_after or UNTRIED_PAUSE, now, ending.error.message)
        case Undelivered():
            retryable = ending.retryable and not ending.is_gone
            run.fail(ending.error, now, retryable=retryable, retry_after=ending.retry_after, answer=ending.answer)
        case Stopped():
            run.acknowledge_cancel(now)
            run.stop(now)
        case HandedBack():
            run.release(now, "handed back by a carrier that ends")


def _reject(ended: Ended, run: Run | None, carrier: WorkerId) -> Rejected:
    parcel = ended.parcel
    reason = "no such run" if run is None else f"not current: the run is {run.state}, attempt {run.attempt}"
    return Rejected(
        tenant_id=parcel.tenant_id,
        reason=reason,
        run_id=parcel.run_id,
        attempt=parcel.attempt,
        worker_id=carrier,
        kind=_KINDS[type(ended.ending)],
    )


_KINDS: dict[type[Ending], str] = {
    Delivered: "SUCCEEDED",
    Undelivered: "FAILED",
    Stopped: "CANCELLED",
    HandedBack: "RELEASED",
}
