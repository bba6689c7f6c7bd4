"""The loops of the role `targets`: deliveries are claimed, carried and settled for as long as the process lives."""

from __future__ import annotations

import asyncio

from rota.application.carrier_lease import CarrierLease
from rota.application.claim_deliveries import ClaimDeliveries, ClaimDeliveriesHandler
from rota.application.command import MessageBus
from rota.application.deliver_runs import SLOTS, Carriers, Deliveries
from rota.application.disable_gone import DisableGone, DisableGoneHandler
from rota.application.dispatch import Sender
from rota.application.look_at_deliveries import LookAtDeliveries, LookAtDeliveriesHandler
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.leases import Leases
from rota.application.ports.store import Begin
from rota.application.settle_deliveries import SettleDeliveries, SettleDeliveriesHandler
from rota.domain.ids import WorkerId
from rota.entrypoints.loops.pace import every, forever

POLL = 0.25
"""A lost nudge is made good after this long."""
LOOK_EVERY = 1.0


def wire_deliveries(
    bus: MessageBus,
    *,
    begin: Begin,
    clock: Clock,
    ids: Ids,
    sender: Sender,
    control: WorkerControl,
    nudge: Nudge,
    at: Checkpoint = pass_by,
) -> None:
    """The use cases of one carrying process."""
    bus.on(ClaimDeliveries, ClaimDeliveriesHandler(begin, clock, at))
    bus.on(LookAtDeliveries, LookAtDeliveriesHandler(begin))
    bus.on(SettleDeliveries, SettleDeliveriesHandler(begin, clock, sender, nudge, at))
    bus.on(DisableGone, DisableGoneHandler(begin, clock, ids, control, nudge))


class TargetsLoop:
    """One carrier, by an id of its own. Orders for it go to `deliveries.obey`, nudges to `deliveries.nudge`.

    When it is stopped it takes nothing new, waits a moment for what is under way, hands the rest back and only then
    releases its lease.
    """

    def __init__(
        self, bus: MessageBus, carriers: Carriers, leases: Leases, carrier: WorkerId, *, slots: int = SLOTS
    ) -> None:
        self.carrier = carrier
        self._lease = CarrierLease(leases, carrier)
        self.deliveries = Deliveries(bus, carriers, carrier, self._lease, slots)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            going_on = [
                tasks.create_task(self._lease.keep()),
                tasks.create_task(forever("settle_deliveries", self.deliveries.settle)),
                tasks.create_task(every(LOOK_EVERY, "look_at_deliveries", self.deliveries.look)),
            ]
            try:
                await forever("claim_deliveries", self._claim)
            finally:
                await self.deliveries.end()
                for task in going_on:
                    task.cancel()
                await self._lease.release()

    async def _claim(self) -> None:
        if not await self.deliveries.claim():
            await self.deliveries.wanted(POLL)
