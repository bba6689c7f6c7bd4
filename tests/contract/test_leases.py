"""Who leads: one at a time, each change of holder with a higher epoch, and every term kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres

from rota.application.ports.leases import Leases, Term
from rota.infrastructure.memory.clock import SettableClock
from rota.infrastructure.memory.leases import InMemoryLeases
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import lease_terms

LONG = timedelta(hours=1)

Expire: TypeAlias = Callable[[], Awaitable[None]]
Terms: TypeAlias = Callable[[str], Awaitable[dict[int, str]]]


class LeasesContract:
    """`expire` lets so much time pass that every lease has run out."""

    async def test_a_free_lease_is_taken(self, leases: Leases) -> None:
        assert await leases.hold("leader", "a", LONG) == Term(1, is_new=True)

    async def test_its_holder_renews_it_within_the_same_term(self, leases: Leases) -> None:
        await leases.hold("leader", "a", LONG)

        assert await leases.hold("leader", "a", LONG) == Term(1, is_new=False)

    async def test_nobody_else_gets_it_meanwhile(self, leases: Leases) -> None:
        await leases.hold("leader", "a", LONG)

        assert await leases.hold("leader", "b", LONG) is None
        assert await leases.epoch("leader") == 1

    async def test_renewing_puts_off_the_end(self, leases: Leases) -> None:
        await leases.hold("leader", "a", timedelta(0))
        await leases.hold("leader", "a", LONG)

        assert await leases.hold("leader", "b", LONG) is None

    async def test_once_it_has_run_out_another_takes_it(self, leases: Leases, expire: Expire) -> None:
        await leases.hold("leader", "a", LONG)
        await expire()

        assert await leases.hold("leader", "b", LONG) == Term(2, is_new=True)
        assert await leases.hold("leader", "a", LONG) is None

    async def test_a_holder_that_comes_back_late_to_a_free_lease_goes_on_with_its_term(
        self, leases: Leases, expire: Expire
    ) -> None:
        await leases.hold("leader", "a", LONG)
        await expire()

        assert await leases.hold("leader", "a", LONG) == Term(1, is_new=False)
        assert await leases.hold("leader", "b", LONG) is None

    async def test_a_lease_that_is_released_is_free_at_once(self, leases: Leases) -> None:
        await leases.hold("leader", "a", LONG)
        await leases.release("leader", "a")

        assert await leases.hold("leader", "b", LONG) == Term(2, is_new=True)

    async def test_who_released_it_and_takes_it_again_begins_a_new_term(self, leases: Leases) -> None:
        await leases.hold("leader", "a", LONG)
        await leases.release("leader", "a")

        assert await leases.hold("leader", "a", LONG) == Term(2, is_new=True)

    async def test_only_its_holder_can_release_it(self, leases: Leases) -> None:
        await leases.hold("leader", "a", LONG)

        await leases.release("leader", "b")

        assert await leases.hold("leader", "b", LONG) is None

    async def test_releasing_what_nobody_holds_is_nothing(self, leases: Leases) -> None:
        await leases.release("leader", "a")

        assert await leases.epoch("leader") == 0

    async def test_leases_of_other_names_are_other_leases(self, leases: Leases) -> None:
        await leases.hold("leader", "a", LONG)

        assert await leases.hold("relay", "b", LONG) == Term(1, is_new=True)

    async def test_the_epoch_rises_by_one_with_each_change_of_holder(self, leases: Leases, expire: Expire) -> None:
        epochs = [await leases.epoch("leader")]
        for holder in ("a", "b", "a", "a", "c"):
            await leases.hold("leader", holder, LONG)
            epochs.append(await leases.epoch("leader"))
            await expire()

        assert epochs == [0, 1, 2, 3, 3, 4]

    async def test_each_epoch_is_traced_to_its_holder(self, leases: Leases, expire: Expire, terms: Terms) -> None:
        for holder in ("a", "a", "b"):
            await leases.hold("leader", holder, LONG)
            await expire()
        await leases.hold("relay", "z", LONG)

        assert await terms("leader") == {1: "a", 2: "b"}


class TestInMemoryLeases(InMemory, LeasesContract):
    @pytest.fixture
    def clock(self) -> SettableClock:
        return SettableClock()

    @pytest.fixture
    def leases(self, clock: SettableClock) -> InMemoryLeases:
        return InMemoryLeases(clock)

    @pytest.fixture
    def expire(self, clock: SettableClock) -> Expire:
        async def expire() -> None:
            clock.advance(2 * LONG)

        return expire

    @pytest.fixture
    def terms(self, leases: InMemoryLeases) -> Terms:
        async def terms(name: str) -> dict[int, str]:
            return leases.terms[name]

        return terms


class TestPostgresLeases(OnPostgres, LeasesContract):
    @pytest.fixture
    def expire(self, engine: AsyncEngine) -> Expire:
        """Moves the ends instead of the clock, which is the database's own."""

        async def expire() -> None:
            async with transaction(engine) as connection:
                await connection.execute(text("UPDATE leases SET expires_at = expires_at - interval '2 hours'"))

        return expire

    @pytest.fixture
    def terms(self, engine: AsyncEngine) -> Terms:
        async def terms(name: str) -> dict[int, str]:
            async with transaction(engine) as connection:
                found = await connection.execute(select(lease_terms).where(lease_terms.c.name == name))
                return {row.epoch: row.holder for row in found}

        return terms
