"""Calls with an idempotency key: one claims, one answers, and the answer is of one piece with the effect."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, SECOND, a_job, a_job_definition, next_id

from rota.application.ports.keyed_calls import HELD, KEPT, CallKey, Claim, KeptAnswer, KeyedCalls
from rota.application.ports.log import Cursors
from rota.application.ports.reads import JobFilter, Paging, Reads
from rota.application.ports.retention import Retention
from rota.application.ports.store import Begin
from rota.domain.errors import KeyInFlightError, KeyReusedError, NameTakenError
from rota.domain.ids import JobId
from rota.domain.job import Job
from rota.infrastructure.memory.keyed_calls import InMemoryKeyedCalls
from rota.infrastructure.memory.retention import InMemoryRetention
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.keyed_calls import PostgresKeyedCalls
from rota.infrastructure.postgres.retention import PostgresRetention

CALL = CallKey(ACME, "POST", "/jobs", "order-66")
ASKED, OTHER = b"\x00\x01asked", b"other"
ANSWER = KeptAnswer(201, {"content-type": "application/json", "etag": '"1"'}, b'{"name":"\xc3\xa4\x00"}')


class KeyedInMemory(InMemory):
    @pytest.fixture
    def calls(self, store: InMemoryStore) -> KeyedCalls:
        return InMemoryKeyedCalls(store)

    @pytest.fixture
    def retention(self, store: InMemoryStore, cursors: Cursors) -> Retention:
        return InMemoryRetention(store, cursors)


class KeyedOnPostgres(OnPostgres):
    @pytest.fixture
    def calls(self, engine: AsyncEngine) -> KeyedCalls:
        return PostgresKeyedCalls(engine)

    @pytest.fixture
    def retention(self, engine: AsyncEngine) -> Retention:
        return PostgresRetention(engine)


async def claimed(calls: KeyedCalls, call: CallKey = CALL, after: timedelta = timedelta(0)) -> Claim:
    found = await calls.claim(call, ASKED, NOON + after)
    assert isinstance(found, Claim)
    return found


async def create(begin: Begin, claim: Claim, name: str = "reports.daily") -> None:
    """An effect with its answer."""
    async with begin() as work:
        work.jobs.add(Job.create(ACME, JobId(next_id()), a_job_definition(name), now=NOON))
        work.answers.keep(claim, ANSWER)
        await work.commit()


async def names(reads: Reads) -> list[str]:
    found = await reads.jobs(ACME, JobFilter(), Paging(limit=200))
    return [job.definition.name for job in found.items]


class ClaimingContract:
    async def test_one_holds_a_key(self, calls: KeyedCalls) -> None:
        await claimed(calls)

        with pytest.raises(KeyInFlightError):
            await calls.claim(CALL, ASKED, NOON + HELD - SECOND)

    async def test_of_many_at_once_one_holds_it(self, calls: KeyedCalls) -> None:
        found = await asyncio.gather(*(calls.claim(CALL, ASKED, NOON) for _ in range(20)), return_exceptions=True)

        assert sum(isinstance(each, Claim) for each in found) == 1
        assert sum(isinstance(each, KeyInFlightError) for each in found) == 19

    @pytest.mark.parametrize(
        "other",
        [
            replace(CALL, tenant_id=GLOBEX),
            replace(CALL, method="PUT"),
            replace(CALL, path="/runs"),
            replace(CALL, key="order-67"),
        ],
    )
    async def test_elsewhere_it_is_another(self, calls: KeyedCalls, other: CallKey) -> None:
        await claimed(calls)

        await claimed(calls, other)

    async def test_for_something_else_it_is_refused(self, calls: KeyedCalls) -> None:
        claim = await claimed(calls)

        with pytest.raises(KeyReusedError):
            await calls.claim(CALL, OTHER, NOON)
        await calls.finish(claim, ANSWER)
        with pytest.raises(KeyReusedError):
            await calls.claim(CALL, OTHER, NOON)

    async def test_a_claim_whose_holder_died_ends_by_itself(self, calls: KeyedCalls) -> None:
        dead = await claimed(calls)
        heir = await calls.claim(CALL, OTHER, NOON + HELD)
        assert isinstance(heir, Claim)

        await calls.finish(dead, ANSWER)
        await calls.give_up(dead)

        with pytest.raises(KeyInFlightError):
            await calls.claim(CALL, OTHER, NOON + HELD)

    async def test_what_is_given_up_is_free_again(self, calls: KeyedCalls) -> None:
        await calls.give_up(await claimed(calls))

        assert isinstance(await calls.claim(CALL, OTHER, NOON), Claim)

    async def test_the_first_answer_is_the_answer(self, calls: KeyedCalls) -> None:
        claim = await claimed(calls)

        await calls.finish(claim, ANSWER)
        await calls.finish(claim, KeptAnswer(500, {}, b""))
        await calls.give_up(claim)

        assert await calls.claim(CALL, ASKED, NOON + KEPT - SECOND) == ANSWER

    async def test_a_key_counts_for_a_day(self, calls: KeyedCalls) -> None:
        await calls.finish(await claimed(calls), ANSWER)

        assert isinstance(await calls.claim(CALL, OTHER, NOON + KEPT), Claim)
        with pytest.raises(KeyInFlightError):
            await calls.claim(CALL, OTHER, NOON + KEPT)

    async def test_old_ones_go_at_most_so_many_at_once(self, calls: KeyedCalls, retention: Retention) -> None:
        for n in range(3):
            await claimed(calls, replace(CALL, key=str(n)))
        young = replace(CALL, key="young")
        await calls.finish(await claimed(calls, young, after=HOUR), ANSWER)

        removed = [await retention.remove_keyed_calls(NOON + HOUR, 2) for _ in range(3)]

        assert removed == [2, 1, 0]
        assert await calls.claim(young, ASKED, NOON + HOUR) == ANSWER


class AnsweringContract:
    async def test_an_answer_comes_with_its_effect(self, calls: KeyedCalls, begin: Begin, reads: Reads) -> None:
        await create(begin, await claimed(calls))

        assert await calls.claim(CALL, ASKED, NOON) == ANSWER
        assert await names(reads) == ["reports.daily"]

    async def test_without_a_commit_there_is_neither(self, calls: KeyedCalls, begin: Begin, reads: Reads) -> None:
        claim = await claimed(calls)
        async with begin() as work:
            work.jobs.add(a_job())
            work.answers.keep(claim, ANSWER)

        assert await names(reads) == []
        with pytest.raises(KeyInFlightError):
            await calls.claim(CALL, ASKED, NOON)

    async def test_nor_where_the_effect_is_refused(self, calls: KeyedCalls, begin: Begin, reads: Reads) -> None:
        await create(begin, await claimed(calls, replace(CALL, key="before")))
        claim = await claimed(calls)

        with pytest.raises(NameTakenError):
            await create(begin, claim)

        with pytest.raises(KeyInFlightError):
            await calls.claim(CALL, ASKED, NOON)
        await create(begin, claim, "another")
        assert await calls.claim(CALL, ASKED, NOON) == ANSWER

    async def test_who_has_lost_his_claim_has_no_effect(self, calls: KeyedCalls, begin: Begin, reads: Reads) -> None:
        slow = await claimed(calls)
        heir = await claimed(calls, after=HELD)

        with pytest.raises(KeyInFlightError):
            await create(begin, slow, "slow")
        await create(begin, heir, "heir")
        with pytest.raises(KeyInFlightError):
            await create(begin, slow, "slow")

        assert await names(reads) == ["heir"]

    async def test_nor_has_who_gave_it_up(self, calls: KeyedCalls, begin: Begin, reads: Reads) -> None:
        claim = await claimed(calls)
        await calls.give_up(claim)

        with pytest.raises(KeyInFlightError):
            await create(begin, claim)

        assert await names(reads) == []


class TestClaimingInMemory(KeyedInMemory, ClaimingContract):
    pass


class TestClaimingOnPostgres(KeyedOnPostgres, ClaimingContract):
    pass


class TestAnsweringInMemory(KeyedInMemory, AnsweringContract):
    pass


class TestAnsweringOnPostgres(KeyedOnPostgres, AnsweringContract):
    pass
