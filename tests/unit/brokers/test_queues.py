from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.unit.brokers.parcels import a_parcel, carried

from rota.application.ports.deliveries import Delivered, Outcome, Parcel
from rota.domain.delivery import QueueReceiver
from rota.infrastructure.brokers.queues import QueueCarrier


class KeepingCarrier:
    def __init__(self) -> None:
        self.parcels: list[Parcel] = []

    async def carry(self, parcels: Sequence[Parcel], done: Callable[[Parcel, Outcome], None]) -> None:
        for parcel in parcels:
            self.parcels.append(parcel)
            done(parcel, Delivered())


async def test_a_parcel_without_a_broker_goes_to_the_bus_and_any_other_to_the_brokers() -> None:
    bus, brokers = KeepingCarrier(), KeepingCarrier()
    at_home, abroad = a_parcel(QueueReceiver("mails")), a_parcel(QueueReceiver("mails", "billing"))

    outcomes = await carried(QueueCarrier(bus, brokers), [abroad, at_home])

    assert (bus.parcels, brokers.parcels) == ([at_home], [abroad])
    assert set(outcomes) == {at_home.run_id, abroad.run_id}
