"""The inbox of event triggers on a real server: what is followed, from where, and over which losses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.application.ports.event_inbox import EventMessage
from rota.application.ports.log import Cursor
from rota.domain.subject_matching import covers
from rota.infrastructure.memory.log import InMemoryCursors
from rota.infrastructure.nats import names
from rota.infrastructure.nats.api import JetStreamApi
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.event_inbox import MOST_FILTERS, NatsEventInbox, filters_for
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Message, Publisher

from .conftest import NatsServer, eventually, reconnected

ORDERS, RETURNS = "topic.acme.orders", "topic.acme.returns"


class Bench:
    """One process that reads a stream. Its cursors outlive it, as the store does."""

    def __init__(self, nc: Connection, stream: str = names.TOPICS, cursors: InMemoryCursors | None = None) -> None:
        self.cursors = cursors or InMemoryCursors()
        self.provisioner = Provisioner(nc)
        self.inbox = NatsEventInbox(nc, self.provisioner, self.cursors, stream)

    async def follow(self, *subjects: str) -> None:
        """As the loop does it each second."""
        await self.inbox.look()
        await self.inbox.follow(subjects)

    async def heard(self, *, acknowledge: bool = True) -> list[str]:
        """The bodies of what is there now."""
        return [message.body.decode() for message in await self.messages(acknowledge=acknowledge)]

    async def messages(self, *, acknowledge: bool = True) -> list[EventMessage]:
        found = list(await self.inbox.fetch(100, 0.3))
        if acknowledge:
            await self.inbox.acknowledge(found)
        return found

    async def next_process(self, nc: Connection) -> Bench:
        await self.inbox.close()
        return Bench(nc, self.inbox.name, self.cursors)


@pytest.fixture
async def publisher(nc: Connection) -> AsyncIterator[Publisher]:
    await Provisioner(nc).ensure_streams()
    publisher = Publisher(nc, ack_timeout=2.0)
    yield publisher
    await publisher.close()


@pytest.fixture
async def bench(nc: Connection, publisher: Publisher) -> AsyncIterator[Bench]:
    bench = Bench(nc)
    yield bench
    await bench.inbox.close()


async def publish(publisher: Publisher, subject: str, *bodies: str) -> None:
    for result in await publisher.publish([Message(subject, body.encode()) for body in bodies]):
        assert hasattr(result, "seq"), result


async def test_what_is_followed_is_brought_and_nothing_else(bench: Bench, publisher: Publisher) -> None:
    await bench.follow(ORDERS)

    await publish(publisher, ORDERS, "1")
    await publish(publisher, RETURNS, "2")

    assert await bench.heard() == ["1"]


async def test_a_message_comes_with_all_that_is_known_of_it(bench: Bench, publisher: Publisher, nc: Connection) -> None:
    await bench.follow(ORDERS)
    await publisher.publish([Message(ORDERS, b"{}", "m-1", (("Rota-Run-Id", "7"),))])

    (message,) = await bench.messages()

    stored = await JetStreamApi(nc).ask(f"STREAM.MSG.GET.{names.TOPICS}", {"seq": 1})
    life = (await JetStreamApi(nc).ask(f"STREAM.INFO.{names.TOPICS}"))["created"]
    assert message.subject == ORDERS
    assert message.headers == {"Nats-Msg-Id": "m-1", "Rota-Run-Id": "7"}
    assert message.at.isoformat()[:26] == stored["message"]["time"][:26]
    assert message.place.startswith(life[:26])
    assert message.place.endswith(":1")


async def test_before_the_first_look_nothing_was_said(bench: Bench, publisher: Publisher) -> None:
    await publish(publisher, ORDERS, "long ago")

    await bench.follow(ORDERS)

    assert await bench.heard() == []


async def test_nobody_listens_and_nothing_is_there_at_the_bus(bench: Bench, nc: Connection) -> None:
    await bench.follow(ORDERS)
    await bench.follow()

    assert await bench.heard() == []
    assert await JetStreamApi(nc).consumer(names.TOPICS, names.TRIGGERS) is None


async def test_what_was_said_since_the_last_look_is_for_the_new_one_too(bench: Bench, publisher: Publisher) -> None:
    await bench.follow()
    await publish(publisher, ORDERS, "created a moment ago, and heard of now")

    await bench.follow(ORDERS)

    assert len(await bench.heard()) == 1


async def test_what_was_said_before_that_is_for_nobody(bench: Bench, publisher: Publisher) -> None:
    await bench.follow()
    await publish(publisher, ORDERS, "before anybody listened")
    await bench.follow()

    await bench.follow(ORDERS)

    assert await bench.heard() == []


async def test_with_another_that_listens_nothing_that_is_waiting_gets_lost(bench: Bench, publisher: Publisher) -> None:
    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "1", "2")
    await bench.follow(ORDERS)
    await publish(publisher, RETURNS, "3")

    await bench.follow(ORDERS, RETURNS)

    assert await bench.heard() == ["1", "2", "3"]


async def test_what_is_done_with_comes_no_more(bench: Bench, publisher: Publisher) -> None:
    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "1")
    await bench.heard()
    await eventually(lambda: is_settled(bench))
    await bench.follow(ORDERS)

    await bench.follow(ORDERS, RETURNS)

    assert await bench.heard() == []


async def test_what_was_taken_and_not_acknowledged_comes_again(
    bench: Bench, publisher: Publisher, nc: Connection
) -> None:
    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "1")
    await bench.heard(acknowledge=False)

    successor = await bench.next_process(nc)
    await successor.follow(ORDERS, RETURNS)

    assert await successor.heard() == ["1"]


async def test_an_acknowledgement_from_before_settles_nothing_now(
    bench: Bench, publisher: Publisher, nc: Connection
) -> None:
    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "1")
    before = await bench.messages(acknowledge=False)
    await bench.follow(ORDERS, RETURNS)
    await bench.messages(acknowledge=False)

    await bench.inbox.acknowledge(before)

    await nc.flush()
    assert not await is_settled(bench)


async def test_the_next_process_goes_on_where_the_last_one_was(
    bench: Bench, publisher: Publisher, nc: Connection
) -> None:
    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "1")
    assert await bench.heard() == ["1"]
    await publish(publisher, ORDERS, "2")

    successor = await bench.next_process(nc)
    await successor.follow(ORDERS)

    assert await successor.heard() == ["2"]


async def test_what_was_said_while_nobody_led_is_for_those_who_began_to_listen_meanwhile(
    bench: Bench, publisher: Publisher, nc: Connection
) -> None:
    await bench.follow(ORDERS)
    await publish(publisher, RETURNS, "1")

    successor = await bench.next_process(nc)
    await successor.follow(ORDERS, RETURNS)

    assert await successor.heard() == ["1"]


async def test_a_consumer_that_was_deleted_is_made_anew_and_nothing_is_lost(
    bench: Bench, publisher: Publisher, nc: Connection
) -> None:
    await bench.follow(ORDERS)
    await JetStreamApi(nc).ask(f"CONSUMER.DELETE.{names.TOPICS}.{names.TRIGGERS}")
    await publish(publisher, ORDERS, "1")
    assert await bench.heard() == []

    await bench.follow(ORDERS)

    assert await bench.heard() == ["1"]


async def test_a_stream_that_was_deleted_is_made_anew_and_read_from_its_beginning(
    bench: Bench, publisher: Publisher, nc: Connection
) -> None:
    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "1", "2", "3")
    await bench.heard()
    await bench.follow(ORDERS)
    await JetStreamApi(nc).ask(f"STREAM.DELETE.{names.TOPICS}")
    await bench.provisioner.ensure_streams()
    await publish(publisher, ORDERS, "4")

    await bench.follow(ORDERS)

    assert await bench.heard() == ["4"]


async def test_a_stream_that_is_missing_at_the_look_is_made(bench: Bench, nc: Connection, publisher: Publisher) -> None:
    await JetStreamApi(nc).ask(f"STREAM.DELETE.{names.TOPICS}")

    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "1")

    assert await bench.heard() == ["1"]


async def test_a_wiped_server_is_followed_anew(
    bench: Bench, publisher: Publisher, nc: Connection, server: NatsServer
) -> None:
    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "1", "2")
    await bench.heard()
    losses = nc.losses
    server.kill()
    server.wipe()
    server.start()
    await reconnected(nc, losses)

    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "3")

    assert await bench.heard() == ["3"]


async def test_a_stream_that_lost_its_end_is_read_from_there(
    bench: Bench, publisher: Publisher, nc: Connection
) -> None:
    await publish(publisher, ORDERS, "1")
    life = (await bench.provisioner.stream_state(names.TOPICS)).created.isoformat()  # type: ignore[union-attr]
    await bench.cursors.move(f"triggers:{names.TOPICS}", Cursor(7, life))

    await bench.follow(ORDERS)
    await publish(publisher, ORDERS, "2")

    assert await bench.heard() == ["2"]


async def test_events_of_any_aggregate_may_be_followed(publisher: Publisher, nc: Connection) -> None:
    bench = Bench(nc, names.EVENTS)
    await bench.follow("scheduler.*.created.acme", "scheduler.run.*.acme", ORDERS)

    await publish(publisher, "scheduler.run.created.acme", "1")
    await publish(publisher, "scheduler.job.created.acme", "2")
    await publish(publisher, "scheduler.job.deleted.acme", "3")
    await publish(publisher, "scheduler.run.failed.globex", "4")

    assert await bench.heard() == ["1", "2"]
    await bench.inbox.close()


async def test_more_subjects_than_a_consumer_should_have_are_all_brought(bench: Bench, publisher: Publisher) -> None:
    await bench.follow(*(f"topic.acme.{number}" for number in range(MOST_FILTERS + 1)))

    await publish(publisher, "topic.acme.100", "1")

    assert await bench.heard() == ["1"]


words = st.sampled_from(["a", "b", "*"])
topics = st.builds(
    lambda tenant, rest, end: ".".join(["topic", tenant, *rest, *end]),
    st.integers(1, 300).map(lambda number: f"t{number}"),
    st.lists(words, min_size=1, max_size=3),
    st.sampled_from([(), (">",)]),
)
events = st.builds(
    lambda aggregate, event, tenant: f"scheduler.{aggregate}.{event}.t{tenant}",
    st.sampled_from([*names.AGGREGATES, "*"]),
    st.sampled_from(["created", "failed", "*"]),
    st.integers(1, 300),
)


@given(st.sets(topics | events, max_size=200))
def test_filters_leave_nothing_out_and_stay_few(patterns: Collection[str]) -> None:
    topics_wanted = filters_for(names.TOPICS, patterns)
    events_wanted = filters_for(names.EVENTS, patterns)

    assert max(len(topics_wanted), len(events_wanted)) <= MOST_FILTERS
    for pattern in patterns:
        if pattern.startswith("topic."):
            assert any(covers(wanted, pattern) for wanted in topics_wanted)
        elif ".*." not in pattern[: len("scheduler.*.")]:
            assert any(covers(wanted, pattern) for wanted in events_wanted)


async def is_settled(bench: Bench) -> bool:
    state = await bench.provisioner.triggers_state(bench.inbox.name)
    return state is not None and state.is_idle
