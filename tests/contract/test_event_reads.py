"""The event log as one tenant reads it: by sequence, by type, by aggregate."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres
from tests.support.builders import ACME, GLOBEX, NOON, a_job_definition, next_id
from tests.support.stored import all_events, store

from rota.application.ports.log import EventFilter, EventLog, EventReads, LogEntry
from rota.application.ports.store import Begin
from rota.domain.ids import JobId, TenantId
from rota.domain.job import Job
from rota.infrastructure.memory.log import InMemoryLog
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.log import PostgresLog

ALL = EventFilter()


def created(name: str, tenant_id: TenantId = ACME) -> Job:
    return Job.create(tenant_id, JobId(next_id()), a_job_definition(name), now=NOON)


class EventReadsContract:
    @pytest.fixture
    async def entries(self, begin: Begin, log: EventLog) -> list[LogEntry]:
        """Of acme: a, b and c are created, b is deleted; of globex one between them."""
        a, b, c = (created(name) for name in "abc")
        await store(begin, a)
        await store(begin, created("a", GLOBEX))
        await store(begin, b)
        await store(begin, c)
        async with begin() as work:
            (await work.jobs.get(ACME, b.id)).delete(now=NOON)
            await work.commit()
        return list(await all_events(log))

    async def test_an_empty_log_ends_where_it_begins(self, event_reads: EventReads) -> None:
        stretch = await event_reads.stretch(ACME, ALL, 0, 10)

        assert (list(stretch.entries), stretch.is_end) == ([], True)

    async def test_a_tenant_reads_its_own_in_the_order_of_the_log(
        self, event_reads: EventReads, entries: list[LogEntry]
    ) -> None:
        own = [entry for entry in entries if entry.tenant_id == ACME]

        stretch = await event_reads.stretch(ACME, ALL, 0, 10)

        assert list(stretch.entries) == own
        assert (stretch.reached, stretch.is_end) == (entries[-1].position, True)
        assert await event_reads.last() == entries[-1].position

    async def test_a_reader_goes_on_behind_what_was_reached(
        self, event_reads: EventReads, entries: list[LogEntry]
    ) -> None:
        first = await event_reads.stretch(ACME, ALL, 0, 3)
        rest = await event_reads.stretch(ACME, ALL, first.reached, 3)

        assert (len(first.entries), first.is_end, rest.is_end) == (3, False, True)
        assert [*first.entries, *rest.entries] == [entry for entry in entries if entry.tenant_id == ACME]

    async def test_what_is_reached_counts_also_where_nothing_was_wanted(
        self, event_reads: EventReads, entries: list[LogEntry]
    ) -> None:
        stretch = await event_reads.stretch(ACME, EventFilter(aggregate="run"), 0, 10)

        assert (list(stretch.entries), stretch.reached) == ([], entries[-1].position)

    async def test_a_place_beyond_the_end_is_kept(self, event_reads: EventReads, entries: list[LogEntry]) -> None:
        beyond = entries[-1].position + 1_000

        assert await event_reads.stretch(ACME, ALL, beyond, 10) == await event_reads.stretch(GLOBEX, ALL, beyond, 10)
        assert (await event_reads.stretch(ACME, ALL, beyond, 10)).reached == beyond

    @pytest.mark.parametrize(
        ("wanted", "types"),
        [
            (EventFilter(aggregate="job", event="deleted"), ["job.deleted"]),
            (EventFilter(aggregate="job"), ["job.created"] * 3 + ["job.deleted"]),
            (EventFilter(aggregate="jo"), []),
            (EventFilter(aggregate="job", event="creat"), []),
        ],
    )
    async def test_a_type_is_one_event_or_all_of_an_aggregate(
        self, event_reads: EventReads, entries: list[LogEntry], wanted: EventFilter, types: list[str]
    ) -> None:
        stretch = await event_reads.stretch(ACME, wanted, 0, 10)

        assert [entry.type for entry in stretch.entries] == types
        assert all(wanted.covers(entry) for entry in stretch.entries)

    async def test_a_subject_is_one_aggregate_of_the_tenant(
        self, event_reads: EventReads, entries: list[LogEntry]
    ) -> None:
        deleted = entries[-1].subject
        wanted, first = (
            EventFilter(subject=deleted),
            await event_reads.stretch(ACME, EventFilter(subject=deleted), 0, 1),
        )

        assert [entry.type for entry in (await event_reads.stretch(ACME, wanted, 0, 10)).entries] == [
            "job.created",
            "job.deleted",
        ]
        assert (first.is_end, first.reached) == (False, first.entries[0].position)
        assert list((await event_reads.stretch(GLOBEX, wanted, 0, 10)).entries) == []


class TestInMemoryEventReads(InMemory, EventReadsContract):
    @pytest.fixture
    def event_reads(self, store: InMemoryStore) -> EventReads:
        return InMemoryLog(store)


class TestPostgresEventReads(OnPostgres, EventReadsContract):
    @pytest.fixture
    def event_reads(self, engine: AsyncEngine) -> EventReads:
        return PostgresLog(engine)

    async def test_a_rare_type_is_looked_for_a_part_at_a_time(
        self, engine: AsyncEngine, entries: list[LogEntry]
    ) -> None:
        reads, wanted = PostgresLog(engine, looked_at=2), EventFilter(aggregate="job", event="deleted")

        first = await reads.stretch(ACME, wanted, 0, 10)
        rest = await reads.stretch(ACME, wanted, first.reached, 10)

        assert (list(first.entries), first.is_end) == ([], False)
        assert ([entry.type for entry in rest.entries], rest.is_end) == (["job.deleted"], True)
