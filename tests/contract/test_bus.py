"""What the use cases need of the bus: lanes that work waits in, reports in order, and all of it may vanish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from tests.support.builders import ACME, GLOBEX, NOON, next_id

from rota.application.ports.bus import EventFeed, Lane, ReportInbox, WorkItem, WorkLanes
from rota.application.ports.log import LogEntry
from rota.domain.ids import JobId, RunId, TenantId
from rota.domain.payload import Json
from rota.infrastructure.memory.bus import InMemoryEventFeed, InMemoryReports, InMemoryWorkLanes
from rota.infrastructure.nats import names
from rota.infrastructure.nats.connection import Connection, connect
from rota.infrastructure.nats.event_feed import NatsEventFeed
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Publisher
from rota.infrastructure.nats.report_inbox import NatsReportInbox
from rota.infrastructure.nats.work_lanes import NatsWorkLanes

Say: TypeAlias = Callable[[bytes], Awaitable[int]]
Vanish: TypeAlias = Callable[[], Awaitable[None]]


@pytest.fixture
def lane() -> Lane:
    return Lane(ACME, JobId(next_id()))


def an_item(lane: Lane, *, queue: str = "default") -> WorkItem:
    return WorkItem(
        run_id=RunId(next_id()),
        attempt=1,
        sends=0,
        tenant_id=lane.tenant_id,
        job_id=lane.job_id,
        job="reports.daily",
        queue=queue,
        payload=Json('{"kind": "full"}'),
        scheduled_for=NOON,
        due_at=NOON,
        timeout_sec=300,
        deadline=NOON,
        correlation_id=None,
        traceparent=None,
    )


def an_entry(position: int, tenant_id: TenantId = ACME) -> LogEntry:
    return LogEntry(position, tenant_id, next_id(), "run.queued", next_id(), 1, NOON, None, None, "{}")


async def comes_to_wait(lanes: WorkLanes, lane: Lane, count: int) -> None:
    """The real bus counts a message a moment after it has acknowledged it."""
    async with asyncio.timeout(5):
        while await lanes.waiting(lane) != count:
            await asyncio.sleep(0.01)


class WorkLanesContract:
    """`vanish` takes the streams away, with all that is in them."""

    async def test_each_lane_has_an_address_of_its_own(self, lanes: WorkLanes, lane: Lane) -> None:
        other = Lane(GLOBEX, JobId(next_id()))

        first, second = lanes.address(lane), lanes.address(other)

        assert first != second
        assert first.stream == second.stream == "ROTA_WORK"
        assert lanes.address(Lane(lane.tenant_id, lane.job_id)) == first

    async def test_what_is_sent_waits_in_its_lane(self, lanes: WorkLanes, lane: Lane) -> None:
        other = Lane(ACME, JobId(next_id()))
        await lanes.provide([lane, other])

        unsent = await lanes.send([an_item(lane), an_item(lane), an_item(other)])

        assert list(unsent) == []
        await comes_to_wait(lanes, lane, 2)
        await comes_to_wait(lanes, other, 1)

    async def test_whichever_queue_it_is_in(self, lanes: WorkLanes, lane: Lane) -> None:
        await lanes.provide([lane])

        await lanes.send([an_item(lane, queue="default"), an_item(lane, queue="slow")])

        await comes_to_wait(lanes, lane, 2)

    async def test_an_attempt_that_is_sent_twice_waits_once(self, lanes: WorkLanes, lane: Lane) -> None:
        item = an_item(lane)
        await lanes.provide([lane])

        await lanes.send([item, item])
        assert list(await lanes.send([item])) == []

        await comes_to_wait(lanes, lane, 1)

    async def test_the_next_attempt_and_the_next_sending_are_other_messages(self, lanes: WorkLanes, lane: Lane) -> None:
        item = an_item(lane)
        await lanes.provide([lane])

        await lanes.send([item, replace(item, attempt=2), replace(item, sends=1)])

        await comes_to_wait(lanes, lane, 3)

    async def test_sending_nothing_is_nothing(self, lanes: WorkLanes) -> None:
        assert list(await lanes.send([])) == []

    async def test_what_was_sent_before_the_lane_was_made_waits_in_it_too(self, lanes: WorkLanes, lane: Lane) -> None:
        await lanes.look()
        await lanes.send([an_item(lane)])

        await comes_to_wait(lanes, lane, 1)

    async def test_a_lane_that_was_removed_is_made_again_when_looked_at(self, lanes: WorkLanes, lane: Lane) -> None:
        await lanes.provide([lane])
        await lanes.remove(lane)

        await comes_to_wait(lanes, lane, 0)

    async def test_only_lanes_that_are_gone_are_restored(self, lanes: WorkLanes, lane: Lane) -> None:
        gone, never_there = Lane(GLOBEX, JobId(next_id())), Lane(ACME, JobId(next_id()))
        await lanes.provide([lane, gone])
        await lanes.send([an_item(lane)])
        await lanes.remove(gone)

        assert list(await lanes.restore([lane, gone, never_there])) == [gone, never_there]
        assert list(await lanes.restore([lane, gone, never_there])) == []

        await comes_to_wait(lanes, lane, 1)

    async def test_removing_a_lane_that_is_not_there_is_nothing(self, lanes: WorkLanes, lane: Lane) -> None:
        await lanes.look()

        await lanes.remove(lane)

    async def test_the_stream_tells_how_much_was_ever_sent(self, lanes: WorkLanes, lane: Lane) -> None:
        before = await lanes.look()

        await lanes.send([an_item(lane) for _ in range(3)])

        after = await lanes.look()
        assert (after.created, after.last_seq) == (before.created, before.last_seq + 3)

    async def test_it_is_up(self, lanes: WorkLanes) -> None:
        assert lanes.is_up

    async def test_what_is_sent_into_a_stream_that_is_gone_is_answered(
        self, lanes: WorkLanes, lane: Lane, vanish: Vanish
    ) -> None:
        item = an_item(lane)
        await lanes.provide([lane])
        await vanish()

        assert list(await lanes.send([item])) == [item]

    async def test_a_stream_that_is_gone_is_made_anew_and_begins_another_life(
        self, lanes: WorkLanes, lane: Lane, vanish: Vanish
    ) -> None:
        item = an_item(lane)
        await lanes.provide([lane])
        await lanes.send([item])
        before = await lanes.look()
        await vanish()

        after = await lanes.look()

        assert after.created != before.created
        assert after.last_seq == 0
        await comes_to_wait(lanes, lane, 0)
        assert list(await lanes.send([item])) == []
        await comes_to_wait(lanes, lane, 1)


class ReportInboxContract:
    """`say` is what a worker does; it answers the report's place."""

    async def test_reports_come_in_the_order_of_their_places(self, inbox: ReportInbox, say: Say) -> None:
        places = [await say(b"%d" % n) for n in range(3)]

        found = await inbox.fetch(10, 5)

        assert [(message.place, message.body) for message in found] == list(
            zip(places, [b"0", b"1", b"2"], strict=True)
        )
        assert {message.subject for message in found} == {"scheduler.report.acme"}

    async def test_no_more_come_than_asked_for(self, inbox: ReportInbox, say: Say) -> None:
        for _ in range(3):
            await say(b"[]")

        assert len(await inbox.fetch(2, 5)) == 2

    async def test_where_nothing_was_said_nothing_comes(self, inbox: ReportInbox) -> None:
        assert list(await inbox.fetch(10, 0.05)) == []

    async def test_what_is_acknowledged_does_not_come_again(self, inbox: ReportInbox, say: Say) -> None:
        await say(b"[]")
        await inbox.acknowledge(await inbox.fetch(10, 5))

        assert list(await inbox.fetch(10, 0.05)) == []

    async def test_acknowledging_nothing_is_nothing(self, inbox: ReportInbox) -> None:
        await inbox.acknowledge([])

    async def test_intake_has_come_as_far_as_all_before_is_acknowledged(
        self, inbox: ReportInbox, lanes: WorkLanes, say: Say
    ) -> None:
        places = [await say(b"[]") for _ in range(3)]
        found = await inbox.fetch(10, 5)
        before = await lanes.intake()

        await inbox.acknowledge(found[:1])
        await self.reaches(lanes, places[0])
        halfway = await lanes.intake()
        await inbox.acknowledge(found[1:])
        await self.reaches(lanes, places[2])

        assert before.floor < places[0] <= halfway.floor < places[2]
        assert before.last_seq == halfway.last_seq == places[2]
        assert before.created == halfway.created

    async def test_an_idle_intake_has_come_to_the_end(self, lanes: WorkLanes) -> None:
        look = await lanes.intake()

        assert look.floor >= look.last_seq

    async def test_reports_that_vanish_begin_another_life(self, lanes: WorkLanes, say: Say, vanish: Vanish) -> None:
        await say(b"[]")
        before = await lanes.intake()
        await vanish()

        after = await lanes.intake()

        assert after.created != before.created
        assert (after.last_seq, after.floor) == (0, 0)

    @staticmethod
    async def reaches(lanes: WorkLanes, place: int) -> None:
        """Acknowledging is not waited for by the port; what it leads to is."""
        async with asyncio.timeout(10):
            while (await lanes.intake()).floor < place:
                await asyncio.sleep(0)


class EventFeedContract:
    async def test_all_that_is_acknowledged_is_counted(self, feed: EventFeed) -> None:
        assert await feed.publish([an_entry(position) for position in (1, 2, 3)]) == 3

    async def test_an_event_may_be_published_again(self, feed: EventFeed) -> None:
        entry = an_entry(1)

        assert [await feed.publish([entry]), await feed.publish([entry])] == [1, 1]

    async def test_nothing_is_nothing(self, feed: EventFeed) -> None:
        assert await feed.publish([]) == 0


class InMemoryBus:
    @pytest.fixture
    def inbox(self) -> InMemoryReports:
        return InMemoryReports()

    @pytest.fixture
    def lanes(self, inbox: InMemoryReports) -> InMemoryWorkLanes:
        return InMemoryWorkLanes(inbox)

    @pytest.fixture
    def feed(self) -> EventFeed:
        return InMemoryEventFeed()

    @pytest.fixture
    def say(self, inbox: InMemoryReports) -> Say:
        async def say(body: bytes) -> int:
            return inbox.publish("scheduler.report.acme", body)

        return say

    @pytest.fixture
    def vanish(self, inbox: InMemoryReports, lanes: InMemoryWorkLanes) -> Vanish:
        async def vanish() -> None:
            inbox.lose_everything()
            lanes.lose_everything()

        return vanish


class OnNats:
    @pytest.fixture
    async def connection(self, nats_url: str) -> AsyncIterator[Connection]:
        connection = await connect(nats_url, name="contract")
        yield connection
        await connection.close()

    @pytest.fixture
    async def provisioner(self, connection: Connection, vanish: Vanish) -> Provisioner:
        """Of streams that hold nothing yet."""
        await vanish()
        provisioner = Provisioner(connection)
        await provisioner.ensure_streams()
        await provisioner.ensure_intake()
        return provisioner

    @pytest.fixture
    async def publisher(self, connection: Connection) -> AsyncIterator[Publisher]:
        publisher = Publisher(connection)
        yield publisher
        await publisher.close()

    @pytest.fixture
    def lanes(self, connection: Connection, publisher: Publisher, provisioner: Provisioner) -> WorkLanes:
        return NatsWorkLanes(connection, publisher, provisioner)

    @pytest.fixture
    def inbox(self, connection: Connection, provisioner: Provisioner) -> ReportInbox:
        return NatsReportInbox(connection, provisioner)

    @pytest.fixture
    def feed(self, publisher: Publisher, provisioner: Provisioner) -> EventFeed:
        return NatsEventFeed(publisher, provisioner)

    @pytest.fixture
    def say(self, connection: Connection, provisioner: Provisioner) -> Say:
        async def say(body: bytes) -> int:
            return (await connection.jetstream().publish(names.report_subject(ACME), body)).seq

        return say

    @pytest.fixture
    def vanish(self, connection: Connection) -> Vanish:
        async def vanish() -> None:
            stream = connection.jetstream()
            for info in await stream.streams_info():
                await stream.delete_stream(str(info.config.name))

        return vanish


class TestInMemoryWorkLanes(InMemoryBus, WorkLanesContract):
    pass


class TestNatsWorkLanes(OnNats, WorkLanesContract):
    pass


class TestInMemoryReportInbox(InMemoryBus, ReportInboxContract):
    pass


class TestNatsReportInbox(OnNats, ReportInboxContract):
    pass


class TestInMemoryEventFeed(InMemoryBus, EventFeedContract):
    pass


class TestNatsEventFeed(OnNats, EventFeedContract):
    pass
