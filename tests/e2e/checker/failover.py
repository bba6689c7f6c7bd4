"""How long nobody fires when the leader is taken away: killed, stopped, or asked to go."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.e2e.checker.faults import is_alone
from tests.e2e.checker.history import Fault, History, Term

SETTLED = timedelta(seconds=2)
"""After another fault; so long at least its effects are taken to last."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """Seconds from the fault until another holds the lease, and until it fires for the first time.

    `disturbed` says that another fault was going on in that time, which may have made it longer.
    """

    kind: str
    target: str
    at: datetime
    taken: float
    fired: float
    disturbed: bool


def takeovers(history: History) -> list[Takeover]:
    """Of each fault that deposed a leader; where the lease did not change hands, as after a short stop, there is none."""
    terms = sorted(history.stored.terms.get(history.expected.lease, ()), key=lambda term: term.began_at)
    fires = sorted(
        (run.fired_at, run.fired_epoch)
        for run in history.stored.runs.values()
        if run.cause == "SCHEDULE" and run.fired_at is not None and run.fired_epoch is not None
    )
    found = (_takeover(fault, history.faults, terms, fires) for fault in history.faults if fault.deposes)
    return [each for each in found if each is not None]


def _takeover(
    fault: Fault, faults: Sequence[Fault], terms: Sequence[Term], fires: Sequence[tuple[datetime, int]]
) -> Takeover | None:
    term = next((term for term in terms if term.began_at > fault.began), None)
    if term is None or ("stop" in fault.kind and term.began_at > fault.ended):
        return None
    start = bisect_left(fires, (fault.began, 0))
    fired = next((at for at, epoch in fires[start:] if epoch >= term.epoch), None)
    if fired is None:
        return None
    others = [each for each in faults if each.target != fault.target]
    return Takeover(
        fault.kind,
        fault.target,
        fault.began,
        round((term.began_at - fault.began).total_seconds(), 3),
        round((fired - fault.began).total_seconds(), 3),
        not is_alone(fault, others, fault.began - SETTLED, fired),
    )
