"""One process that carries out deliveries, in the house; the test is the receivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import cast

from tests.support.builders import a_run, next_id
from tests.unit.application.house import House, _LateCommit

from rota.application.carrier_lease import CarrierLease
from rota.application.command import MessageBus
from rota.application.deliver_runs import Carriers, Deliveries
from rota.application.ports.deliveries import Delivered, Outcome, Parcel
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.delivery import Delivery, EventReceiver, HttpReceiver, QueueReceiver, Receiver
from rota.domain.errors import UnavailableError
from rota.domain.ids import RunId, ScheduleId, WorkerId
from rota.domain.job import Job
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.entrypoints.loops.targets import wire_deliveries

HOOK = HttpReceiver(url="https://hooks.example.com/paid")
TOPIC = EventReceiver("orders.paid")
STREAM = QueueReceiver("orders.paid")
BROKER = QueueReceiver("orders.paid", "warehouse")


@dataclass(slots=True)
class _Open:
    parcel: Parcel
    done: Callable[[Parcel, Outcome], None]
    told: asyncio.Event


class HandCarrier:
    """Carries until the test tells what became of a run. `batches` are the calls, `given_up` what was cancelled."""

    def __init__(self) -> None:
        self.batches: list[list[RunId]] = []
        self.given_up: list[RunId] = []
        self._open: dict[RunId, _Open] = {}

    async def carry(self, parcels: Sequence[Parcel], done: Callable[[Parcel, Outcome], None]) -> None:
        self.batches.append([parcel.run_id for parcel in parcels])
        going = [_Open(parcel, done, asyncio.Event()) for parcel in parcels]
        self._open |= {each.parcel.run_id: each for each in going}
        try:
            for each in going:
                await each.told.wait()
        except asyncio.CancelledError:
            self.given_up += [each.parcel.run_id for each in going if not each.told.is_set()]
            raise

    def tell(self, run: Run, outcome: Outcome | None = None) -> None:
        """Delivered, unless something else is said."""
        each = self._open[run.id]
        each.done(each.parcel, outcome or Delivered())
        each.told.set()

    @property
    def carried(self) -> list[RunId]:
        return [run_id for batch in self.batches for run_id in batch]


class Depot:
    """`deliveries` moves a step when the test says so."""

    def __init__(self, house: House, *, slots: int = 100, begin: Begin | None = None) -> None:
        self.house = house
        self.carrier = WorkerId(next_id())
        self.topics, self.queues, self.http = HandCarrier(), HandCarrier(), HandCarrier()
        self.carriers = Carriers(self.topics, self.queues, self.http)
        self.lease = CarrierLease(house.leases, self.carrier)
        self.bus = MessageBus()
        wire_deliveries(
            self.bus,
            begin=begin or house.begin,
            clock=house.clock,
            ids=house.ids,
            sender=house.sender,
            control=house.control,
            nudge=house.nudge,
        )
        self.deliveries = Deliveries(self.bus, self.carriers, self.carrier, self.lease, slots)

    async def open(self) -> None:
        assert await self.lease.renew()

    async def claim(self) -> bool:
        """And lets the carriers begin."""
        more = await self.deliveries.claim()
        await asyncio.sleep(0)
        return more

    @asynccontextmanager
    async def settling(self) -> AsyncIterator[None]:
        """Endings are stored in the background."""

        async def settle() -> None:
            while True:
                await self.deliveries.settle()

        task = asyncio.create_task(settle())
        try:
            async with asyncio.timeout(5):
                yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def a_depot(house: House, *, slots: int = 100, begin: Begin | None = None) -> AsyncIterator[Depot]:
    """It has its lease. In the end nothing is left under way."""
    depot = Depot(house, slots=slots, begin=begin)
    await depot.open()
    yield depot
    async with depot.settling():
        await depot.deliveries.end(patience=0)


def a_queued_delivery(
    receiver: Receiver = HOOK,
    *,
    delivery: Delivery | None = None,
    schedule_id: ScheduleId | None = None,
    job: Job | None = None,
) -> Run:
    """Of ACME, unless the job is somebody else's; with three attempts, and a second between them."""
    return a_run(RunState.QUEUED, delivery=delivery or Delivery(receiver=receiver), schedule_id=schedule_id, job=job)


class CommitsAndFails:
    """A Begin whose n-th commit is stored, and seems to have failed; or is not stored either."""

    def __init__(self, begin: Begin, nth: int = 1, *, stored: bool = True, error: Exception | None = None) -> None:
        self._inner = begin
        self._left = nth
        self._stored = stored
        self._error = error or UnavailableError("the database does not answer")

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        async with self._inner() as work:

            async def happen() -> None:
                self._left -= 1
                if self._left == 0:
                    if self._stored:
                        await work.commit()
                    raise self._error

            yield cast(UnitOfWork, _LateCommit(work, happen))  # it passes on all but the commit
