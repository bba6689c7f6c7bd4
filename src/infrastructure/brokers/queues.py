"""QUEUE targets: the bus's own, and the brokers'."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rota.application.ports.deliveries import Carrier, Outcome, Parcel
from rota.domain.delivery import QueueReceiver


@dataclass(frozen=True, slots=True)
class QueueCarrier:
    """A parcel that names no broker goes to the bus; neither side waits for the other."""

    bus: Carrier
    brokers: Carrier

    async def carry(self, parcels: Sequence[Parcel], done: Callable[[Parcel, Outcome], None]) -> None:
        abroad = [parcel for parcel in parcels if _names_broker(parcel)]
        at_home = [parcel for parcel in parcels if not _names_broker(parcel)]
        async with asyncio.TaskGroup() as group:
            group.create_task(self.bus.carry(at_home, done))
            group.create_task(self.brokers.carry(abroad, done))


def _names_broker(parcel: Parcel) -> bool:
    return isinstance(parcel.receiver, QueueReceiver) and parcel.receiver.broker is not None
