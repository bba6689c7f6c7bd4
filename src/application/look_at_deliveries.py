"""Whether a carrier's deliveries are still wanted: orders may get lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rota.application.claim_deliveries import is_carried
from rota.application.command import Message
from rota.application.ports.bus import Control
from rota.application.ports.deliveries import Parcel
from rota.application.ports.store import Begin
from rota.application.stopping import asked_to_stop
from rota.domain.ids import WorkerId
from rota.domain.run import Run


@dataclass(frozen=True, slots=True)
class LookAtDeliveries(Message[Sequence[Control]]):
    """Answers the orders for those that are to stop, or are the carrier's no more."""

    carrier: WorkerId
    parcels: Sequence[Parcel]


@dataclass(frozen=True, slots=True)
class LookAtDeliveriesHandler:
    begin: Begin

    async def __call__(self, command: LookAtDeliveries) -> Sequence[Control]:
        async with self.begin() as work:
            runs = await work.runs.peek((parcel.tenant_id, parcel.run_id) for parcel in command.parcels)
        return [
            order
            for parcel in command.parcels
            for order in _orders(parcel, runs.get((parcel.tenant_id, parcel.run_id)), command.carrier)
        ]


def _orders(parcel: Parcel, run: Run | None, carrier: WorkerId) -> Sequence[Control]:
    if not is_carried(run, parcel, carrier):
        return [Control("LOST", "the attempt is not this carrier's", parcel.run_id, parcel.attempt)]
    if run.cancel_requested_at is None:
        return []
    return [order for _, _, order in asked_to_stop(run)]
