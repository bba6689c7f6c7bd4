"""Deliveries, which Rota carries out itself: claimed, carried by the carrier of their kind, and settled.

    QUEUED ──claimed──> under way ──told──> ended ──settled──> (stored)
                            │                 ^
                            ├──CANCEL─────────┤ stopped
                            ├──the process ends┘ handed back
                            └──TIMEOUT, LOST──> forgotten: no longer ours

A slot is taken from the claim until the end is stored, so that what is under way is bounded also while the store is
away. Each parcel that may hang has a task of its own, and nothing waits for it; parcels for the bus go in batches.
What this process holds in memory is lost with it, and so is its lease: the leader then queues its runs again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import structlog

from rota.application.carrier_lease import CarrierLease
from rota.application.claim_deliveries import ClaimDeliveries
from rota.application.command import MessageBus
from rota.application.disable_gone import DisableGone
from rota.application.look_at_deliveries import LookAtDeliveries
from rota.application.ports.bus import Control
from rota.application.ports.deliveries import Carrier, Outcome, Parcel, Undelivered
from rota.application.settle_deliveries import Ended, Ending, HandedBack, SettleDeliveries, Stopped
from rota.domain.attempt import RunError
from rota.domain.delivery import EventReceiver, HttpReceiver, QueueReceiver
from rota.domain.errors import ConcurrentChangeError, UnavailableError
from rota.domain.ids import RunId, WorkerId

SLOTS = 2_000
BATCH = 500
GATHER = 0.005
"""So long endings are gathered, in seconds, so that one transaction stores many."""
PATIENCE = 5.0
"""So long, in seconds, a process that ends waits for what is under way."""
LAST_WORDS = 3.0
"""And so long for the store to take what became of it; with the patience, less than the watchdog's ten seconds."""

log = structlog.get_logger()

_Key: TypeAlias = tuple[RunId, int]


@dataclass(frozen=True, slots=True)
class Carriers:
    """Who carries what. `topics` is for the bus itself, `queues` for the brokers of other names."""

    topics: Carrier
    queues: Carrier
    http: Carrier

    def share_out(self, parcels: Iterable[Parcel]) -> Iterator[tuple[Carrier, Sequence[Parcel]]]:
        """Parcels for the bus in one batch, which is what it is good at; every other by itself."""
        together = []
        for parcel in parcels:
            match parcel.receiver:
                case EventReceiver() | QueueReceiver(broker=None):
                    together.append(parcel)
                case HttpReceiver():
                    yield self.http, [parcel]
                case QueueReceiver():
                    yield self.queues, [parcel]
        if together:
            yield self.topics, together


@dataclass(frozen=True, slots=True)
class _UnderWay:
    parcel: Parcel
    task: asyncio.Task[None]
    is_alone: bool
    """Whether the task carries nothing else."""


class Deliveries:
    """What one process delivers. A loop repeats its steps `claim`, `settle` and `look`, each in a task of its own."""

    def __init__(self, bus: MessageBus, carriers: Carriers, carrier: WorkerId, lease: CarrierLease, slots: int) -> None:
        self._bus = bus
        self._carriers = carriers
        self._carrier = carrier
        self._lease = lease
        self._slots = slots
        self._under_way: dict[_Key, _UnderWay] = {}
        self._ended: dict[_Key, Ended] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looked_at: set[_Key] = set()
        self._is_full = False
        self._wanted = asyncio.Event()
        self._some_ended = asyncio.Event()
        self._moved = asyncio.Event()

    @property
    def taken(self) -> int:
        """How many slots are."""
        return len(self._under_way) + len(self._ended)

    def nudge(self) -> None:
        """There may be something to claim."""
        self._wanted.set()

    async def wanted(self, timeout: float) -> None:
        """Until a nudge comes or a slot gets free, also if it was since the last claim; at most `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wanted.wait()

    # Steps

    async def claim(self) -> bool:
        """Takes as many as there are slots for; True if more may be waiting. Without its lease it takes nothing."""
        self._wanted.clear()
        limit = min(self._slots - self.taken, BATCH)
        self._is_full = limit <= 0
        if self._is_full or not self._lease.is_held:
            return False
        parcels = await self._bus.handle(ClaimDeliveries(self._carrier, limit))
        for carrier, batch in self._carriers.share_out(parcels):
            self._begin(carrier, batch)
        return len(parcels) >= limit

    async def settle(self) -> None:
        """Waits until some have ended, and stores how."""
        await self._some_ended.wait()
        await asyncio.sleep(GATHER)
        batch = dict(islice(self._ended.items(), BATCH))
        await self._store(list(batch.values()))
        for key in batch:
            del self._ended[key]
        if not self._ended:
            self._some_ended.clear()
        self._free()

    async def look(self) -> None:
        """Asks about those that were under way at the last look too; the quick ones are not worth it."""
        known, self._looked_at = self._looked_at, set(self._under_way)
        parcels = [each.parcel for key, each in self._under_way.items() if key in known]
        if parcels:
            orders = await self._bus.handle(LookAtDeliveries(self._carrier, parcels))
            self.obey(orders)

    def obey(self, orders: Iterable[Control]) -> None:
        """CANCEL stops a parcel and says so; TIMEOUT and LOST only stop it: its attempt has ended without us."""
        for order in orders:
            if order.run_id is None or order.attempt is None:
                continue
            key = (order.run_id, order.attempt)
            if key in self._under_way and order.kind in ("CANCEL", "TIMEOUT", "LOST"):
                self._give_up(key, Stopped() if order.kind == "CANCEL" else None)

    async def end(self, patience: float = PATIENCE) -> None:
        """Waits for what is under way, and hands the rest back. `settle` must go on meanwhile, and no `claim`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._until_none_is(self._under_way)
        for key in list(self._under_way):
            self._give_up(key, HandedBack())
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._find_out_about_the_last_claim()
                await self._until_none_is(self._ended)
        for task in self._tasks:
            task.cancel()
        if self._ended:
            log.warning("deliveries_not_handed_back", count=len(self._ended))

    # Under way

    def _begin(self, carrier: Carrier, parcels: Sequence[Parcel]) -> None:
        task = asyncio.create_task(self._carry(carrier, parcels))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        for parcel in parcels:
            self._under_way[_key(parcel)] = _UnderWay(parcel, task, len(parcels) == 1)

    async def _carry(self, carrier: Carrier, parcels: Sequence[Parcel]) -> None:
        try:
            await carrier.carry(parcels, self._told)
        except Exception:
            log.exception("carrier_failed", parcels=len(parcels))
        for parcel in parcels:  # those it said nothing of
            self._told(parcel, _NOTHING_TOLD)

    def _told(self, parcel: Parcel, outcome: Outcome) -> None:
        """The first word counts, and none about what was given up."""
        if self._under_way.pop(_key(parcel), None) is not None:
            self._end(parcel, outcome)

    def _give_up(self, key: _Key, ending: Ending | None) -> None:
        given_up = self._under_way.pop(key)
        if given_up.is_alone:
            given_up.task.cancel()
        if ending is None:
            self._free()
        else:
            self._end(given_up.parcel, ending)

    def _end(self, parcel: Parcel, ending: Ending) -> None:
        self._ended[_key(parcel)] = Ended(parcel, ending)
        self._some_ended.set()
        self._moved.set()

    def _free(self) -> None:
        """Slots are free again."""
        self._moved.set()
        if self._is_full:
            self._wanted.set()

    async def _until_none_is(self, left: dict[_Key, _UnderWay] | dict[_Key, Ended]) -> None:
        while left:
            self._moved.clear()
            await self._moved.wait()

    async def _find_out_about_the_last_claim(self) -> None:
        """It may have been cut off by the end."""
        try:
            for parcel in await self._bus.handle(ClaimDeliveries(self._carrier, 0)):
                self._end(parcel, HandedBack())
        except Exception as error:  # then it is lost with the lease
            log.warning("last_claim_unknown", error=str(error) or type(error).__name__)

    # Storing

    async def _store(self, ended: Sequence[Ended]) -> None:
        """What cannot be stored holds up no other."""
        try:
            await self._disable_gone(ended)
            await self._bus.handle(SettleDeliveries(self._carrier, ended))
        except (UnavailableError, ConcurrentChangeError):
            raise
        except Exception:
            if len(ended) > 1:
                for each in ended:
                    await self._store([each])
                return
            log.exception("ending_cannot_be_stored", run_id=str(ended[0].parcel.run_id))
            await self._store_plainly(ended[0])

    async def _store_plainly(self, ended: Ended) -> None:
        """If not even that can be, the attempt's time runs out."""
        try:
            await self._bus.handle(SettleDeliveries(self._carrier, [Ended(ended.parcel, _UNSTORABLE)]))
        except (UnavailableError, ConcurrentChangeError):
            raise
        except Exception:
            log.exception("delivery_left_to_its_timeout", run_id=str(ended.parcel.run_id))

    async def _disable_gone(self, ended: Sequence[Ended]) -> None:
        """Before its runs are settled: then a crash in between is made good by the next attempt."""
        gone = {
            DisableGone(each.parcel.tenant_id, each.parcel.schedule_id, each.parcel.receiver)
            for each in ended
            if isinstance(each.ending, Undelivered) and each.ending.is_gone and each.parcel.schedule_id
        }
        for command in gone:
            await self._bus.handle(command)


_NOTHING_TOLD = Undelivered(error=RunError("CarrierFailed", "the delivery broke inside Rota; its log tells why"))
_UNSTORABLE = Undelivered(
    error=RunError("AnswerUnstorable", "how the delivery ended could not be stored"), retryable=False
)


def _key(parcel: Parcel) -> _Key:
    return (parcel.run_id, parcel.attempt)
