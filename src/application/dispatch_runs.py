"""Turns: of the runs that wait for one, those go next that limits and fairness allow.

They wait in the store and not on the bus, because only there they can still be chosen from: by priority and age inside
a lane, and fairly among tenants, so that one with a hundred thousand waiting runs delays nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from rota.application.command import Message
from rota.application.dispatch import WINDOW, Sender
from rota.application.ports.clock import Clock
from rota.application.ports.keys import LaneKey
from rota.application.ports.store import Begin, UnitOfWork
from rota.application.ports.waiting import ConcurrencyKey, WaitingLane
from rota.domain.fairness import share_in_groups
from rota.domain.gates import key_gate
from rota.domain.ids import TenantId
from rota.domain.run import Run

ROUND = 500
"""How many runs get their turn in one transaction, so that what is due meanwhile is not kept waiting."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """`moved` runs got their turn, or went on to a gate; `is_waiting` says that others still wait for theirs."""

    moved: int = 0
    is_waiting: bool = False


@dataclass(frozen=True, slots=True)
class DispatchRuns(Message[Dispatched]):
    """One round."""


@dataclass(slots=True)
class DispatchRunsHandler:
    """`weights` says which tenants get more than an equal part of a round."""

    begin: Begin
    clock: Clock
    sender: Sender
    weights: Mapping[TenantId, float] = field(default_factory=dict)
    _turn: int = 0

    async def __call__(self, command: DispatchRuns) -> Dispatched:
        self._turn += 1
        async with self.begin() as work:
            if not await work.waiting.lanes(1):
                return Dispatched()
            if not await work.waiting.hold():
                return Dispatched(is_waiting=True)
            lanes = await work.waiting.lanes(ROUND)
            now = self.clock.now()
            taken = await self._take(work, lanes, now)
            going = await _let_go(work, taken, now)
            await work.waiting.spend(_spent(lanes, going, now))
            await work.commit()
        self.sender.send(going)
        return Dispatched(len(taken), sum(lane.waiting for lane in lanes) > len(taken))

    async def _take(self, work: UnitOfWork, lanes: Sequence[WaitingLane], now: datetime) -> Sequence[Run]:
        wants = {lane.key: min(lane.waiting, _room(lane, now)) for lane in lanes if self._is_open(lane)}
        shares = share_in_groups(ROUND, wants, self.weights, self._turn)
        return await work.waiting.take(shares) if shares else ()

    def _is_open(self, lane: WaitingLane) -> bool:
        return lane.is_delivery or self.sender.is_flowing


def _room(lane: WaitingLane, now: datetime) -> int:
    room = WINDOW - lane.queued
    if lane.max_concurrent is not None:
        room = min(room, lane.max_concurrent - lane.queued - lane.running)
    if lane.rate_limit is not None:
        room = min(room, lane.rate_limit.allows(lane.spent_until, now))
    return max(room, 0)


async def _let_go(work: UnitOfWork, runs: Sequence[Run], now: datetime) -> Sequence[Run]:
    """All whose concurrency key is free; the others wait at its gate, and what is too late ends here."""
    busy = set(await work.waiting.held(key for run in runs if (key := _key(run))))
    going = []
    for run in runs:
        key = _key(run)
        if run.expire(now):
            continue
        if key is not None and run.job is not None and key in busy:
            run.park(key_gate(run.job, key.key))
            continue
        if key is not None:
            busy.add(key)
        run.go(now)
        going.append(run)
    return going


def _key(run: Run) -> ConcurrencyKey | None:
    if run.job is None or run.concurrency_key is None:
        return None
    return ConcurrencyKey(run.tenant_id, run.job.id, run.concurrency_key)


def _spent(lanes: Iterable[WaitingLane], going: Sequence[Run], now: datetime) -> Mapping[LaneKey, datetime]:
    starts = {lane: len(list(runs)) for lane, runs in groupby(sorted(map(_lane, going)))}
    return {
        lane.key: lane.rate_limit.spend(lane.spent_until, starts[lane.key], now)
        for lane in lanes
        if lane.rate_limit is not None and lane.key in starts
    }


def _lane(run: Run) -> LaneKey:
    return (run.tenant_id, run.lane)
