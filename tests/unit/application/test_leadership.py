"""Holding a lease: whoever leads stops before anybody else can begin, whatever the store does.

The holder trusts its own monotonic clock, so these tests live in real time; none asserts how long anything takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from rota.application.leadership import LENGTH, Leadership
from rota.application.ports.leases import Term
from rota.domain.errors import UnavailableError
from rota.infrastructure.memory.leases import InMemoryLeases

LEADER = "leader"


class RunningClock:
    """The store's clock goes as time goes."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


class Connection:
    """One process's connection to the leases, which may be cut: then nothing is answered, or refused, at once."""

    def __init__(self, leases: InMemoryLeases) -> None:
        self._leases = leases
        self.fault: str | None = None
        self.asked = 0

    async def hold(self, name: str, holder: str, length: timedelta) -> Term | None:
        self.asked += 1
        await self._suffer()
        return await self._leases.hold(name, holder, length)

    async def release(self, name: str, holder: str) -> None:
        await self._suffer()
        await self._leases.release(name, holder)

    async def epoch(self, name: str) -> int:
        return await self._leases.epoch(name)

    async def _suffer(self) -> None:
        if self.fault == "silent":
            await asyncio.Event().wait()
        if self.fault == "refusing":
            raise UnavailableError("the database does not answer")
        if self.fault == "broken":
            raise ZeroDivisionError


class Process:
    """Takes part in the election; `history` is shared by all and says who began and who ended, in order."""

    def __init__(self, name: str, leases: InMemoryLeases, history: list[str]) -> None:
        self.name = name
        self.connection = Connection(leases)
        self.leadership = Leadership(self.connection, LEADER, name)
        self.leads = asyncio.Event()
        self.rests = asyncio.Event()
        self._history = history

    async def lead(self, epoch: int) -> None:
        self._history.append(f"{self.name} begins {epoch}")
        self.rests.clear()
        self.leads.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._history.append(f"{self.name} ends {epoch}")
            self.leads.clear()
            self.rests.set()

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.leadership.run(self.lead))
        try:
            async with asyncio.timeout(10):
                yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def leases() -> InMemoryLeases:
    return InMemoryLeases(RunningClock())


@pytest.fixture
async def history() -> list[str]:
    return []


@pytest.fixture
async def ada(leases: InMemoryLeases, history: list[str]) -> Process:
    return Process("ada", leases, history)


@pytest.fixture
async def grace(leases: InMemoryLeases, history: list[str]) -> Process:
    return Process("grace", leases, history)


async def test_who_holds_the_lease_leads_in_its_epoch(ada: Process, history: list[str]) -> None:
    assert not ada.leadership.is_held

    async with ada.living():
        await ada.leads.wait()

        assert ada.leadership.is_held
        assert ada.leadership.epoch == 1
        assert history == ["ada begins 1"]


async def test_nobody_else_leads_meanwhile(ada: Process, grace: Process, history: list[str]) -> None:
    async with ada.living():
        await ada.leads.wait()
        async with grace.living():
            while grace.connection.asked < 2:
                await asyncio.sleep(0.01)

            assert not grace.leadership.is_held
            assert history == ["ada begins 1"]


async def test_it_is_renewed_for_as_long_as_its_holder_lives(ada: Process, history: list[str]) -> None:
    async with ada.living():
        await ada.leads.wait()
        began = time.monotonic()
        while time.monotonic() < began + LENGTH.total_seconds() + 0.5:
            await asyncio.sleep(0.05)
            assert ada.leadership.is_held

        assert history == ["ada begins 1"]


async def test_a_clean_stop_ends_the_leading_and_frees_the_lease_for_the_next(
    ada: Process, grace: Process, leases: InMemoryLeases, history: list[str]
) -> None:
    async with ada.living():
        await ada.leads.wait()

    assert history == ["ada begins 1", "ada ends 1"]
    assert not ada.leadership.is_held
    assert not leases.is_held(LEADER)
    async with grace.living():
        await grace.leads.wait()
    assert history[2:] == ["grace begins 2", "grace ends 2"]


@pytest.mark.parametrize("fault", ["silent", "refusing", "broken"])
async def test_a_leader_that_cannot_renew_ends_before_another_begins(
    ada: Process, grace: Process, history: list[str], fault: str
) -> None:
    async with ada.living():
        await ada.leads.wait()
        async with grace.living():
            ada.connection.fault = fault
            await grace.leads.wait()

            assert history == ["ada begins 1", "ada ends 1", "grace begins 2"]
            assert not ada.leadership.is_held


async def test_a_store_that_answers_again_in_time_costs_nothing(ada: Process, history: list[str]) -> None:
    async with ada.living():
        await ada.leads.wait()
        asked = ada.connection.asked
        ada.connection.fault = "refusing"
        while ada.connection.asked == asked:
            await asyncio.sleep(0.01)
        ada.connection.fault = None
        while ada.connection.asked < asked + 3:
            await asyncio.sleep(0.01)

        assert ada.leadership.is_held
        assert history == ["ada begins 1"]


async def test_a_store_that_answers_again_later_makes_it_lead_again(ada: Process, history: list[str]) -> None:
    async with ada.living():
        await ada.leads.wait()
        ada.connection.fault = "refusing"
        await ada.rests.wait()
        ada.connection.fault = None
        await ada.leads.wait()

        assert [line.rpartition(" ")[0] for line in history] == ["ada begins", "ada ends", "ada begins"]


async def test_a_store_that_is_away_from_the_start_is_waited_for(ada: Process) -> None:
    ada.connection.fault = "refusing"
    async with ada.living():
        while ada.connection.asked < 2:
            await asyncio.sleep(0.01)
        assert not ada.leadership.is_held

        ada.connection.fault = None
        await ada.leads.wait()


async def test_a_lease_that_was_taken_over_ends_the_leading_at_the_next_renewal(
    ada: Process, leases: InMemoryLeases, history: list[str]
) -> None:
    """As for a process that was stopped for a while, with another leading meanwhile."""
    async with ada.living():
        await ada.leads.wait()
        await leases.release(LEADER, "ada")
        await leases.hold(LEADER, "grace", timedelta(hours=1))
        await ada.rests.wait()

        assert not ada.leadership.is_held
        assert history == ["ada begins 1", "ada ends 1"]


async def test_a_lease_that_came_back_in_a_later_epoch_is_led_anew(
    ada: Process, leases: InMemoryLeases, history: list[str]
) -> None:
    async with ada.living():
        await ada.leads.wait()
        await leases.release(LEADER, "ada")
        await leases.hold(LEADER, "grace", timedelta(hours=1))
        await leases.release(LEADER, "grace")
        await ada.rests.wait()
        await ada.leads.wait()

        assert history == ["ada begins 1", "ada ends 1", "ada begins 3"]


async def test_a_stop_while_the_store_is_silent_does_not_wait_for_it_for_ever(ada: Process, history: list[str]) -> None:
    async with ada.living():
        await ada.leads.wait()
        ada.connection.fault = "silent"

    assert history == ["ada begins 1", "ada ends 1"]


async def test_a_fault_of_what_is_led_is_not_hidden_and_frees_the_lease(ada: Process, leases: InMemoryLeases) -> None:
    async def fail(epoch: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(10):
            await ada.leadership.run(fail)

    assert not leases.is_held(LEADER)
