"""A carrier's lease: held while it is renewed, trusted only to the holder's own deadline."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.support.builders import next_id
from tests.unit.application.house import House

from rota.application import carrier_lease
from rota.application.carrier_lease import CarrierLease
from rota.application.ports.leases import Leases, Term
from rota.application.ports.leases import carrier_lease as name_of
from rota.domain.errors import UnavailableError
from rota.domain.ids import WorkerId

CARRIER = WorkerId(next_id())


class Cut(Leases):
    """Leases that cannot be reached: they refuse, or are silent."""

    def __init__(self, inner: Leases, fault: str) -> None:
        self._inner = inner
        self._fault = fault

    async def hold(self, name: str, holder: str, length: timedelta) -> Term | None:
        return await self._suffer()

    async def release(self, name: str, holder: str) -> None:
        await self._suffer()

    async def epoch(self, name: str) -> int:
        return await self._inner.epoch(name)

    async def _suffer(self) -> None:
        if self._fault == "refusing":
            raise UnavailableError("the database does not answer")
        await asyncio.Event().wait()


@pytest.fixture(params=["refusing", "silent"])
async def cut(house: House, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Leases:
    monkeypatch.setattr(carrier_lease, "RENEW_EVERY", 0.01)
    return Cut(house.leases, request.param)


async def test_it_is_held_once_it_is_renewed(house: House) -> None:
    lease = CarrierLease(house.leases, CARRIER)
    assert not lease.is_held

    assert await lease.renew()

    assert lease.is_held
    assert house.leases.is_held(name_of(CARRIER))


async def test_a_store_that_does_not_answer_renews_nothing(cut: Leases) -> None:
    lease = CarrierLease(cut, CARRIER)

    assert not await lease.renew()

    assert not lease.is_held


async def test_it_is_not_trusted_beyond_its_own_deadline(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier_lease, "LENGTH", timedelta(seconds=carrier_lease.MARGIN))
    lease = CarrierLease(house.leases, CARRIER)

    await lease.renew()

    assert not lease.is_held, "the store may think otherwise"


async def test_it_goes_on_over_a_renewal_that_failed(house: House, cut: Leases) -> None:
    lease = CarrierLease(house.leases, CARRIER)
    await lease.renew()

    lease._leases = cut
    await lease.renew()

    assert lease.is_held


async def test_it_is_renewed_for_as_long_as_it_is_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier_lease, "RENEW_EVERY", 0.001)
    renewed = asyncio.Event()

    class Counting(Cut):
        async def hold(self, name: str, holder: str, length: timedelta) -> Term | None:
            term = await house.leases.hold(name, holder, length)
            if self.asked:
                renewed.set()
            self.asked = True
            return term

        asked = False

    keeping = asyncio.create_task(CarrierLease(Counting(house.leases, ""), CARRIER).keep())
    async with asyncio.timeout(5):
        await renewed.wait()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_released_it_is_free_at_once(house: House) -> None:
    lease = CarrierLease(house.leases, CARRIER)
    await lease.renew()

    await lease.release()

    assert not lease.is_held
    assert not house.leases.is_held(name_of(CARRIER))


async def test_a_store_that_does_not_answer_does_not_keep_a_process_from_its_end(cut: Leases) -> None:
    async with asyncio.timeout(5):
        await CarrierLease(cut, CARRIER).release()
