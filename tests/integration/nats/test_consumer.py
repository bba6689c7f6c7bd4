from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from rota.infrastructure.nats import names
from rota.infrastructure.nats.api import JetStreamApi
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.consumer import ConsumerGoneError, Delivery, PullConsumer, _place, _status
from rota.infrastructure.nats.provisioner import LaneState, Provisioner
from rota.infrastructure.nats.publisher import Message, PubAck, Publisher

from .conftest import NatsServer, eventually, reconnected

LANE = names.Lane("acme", UUID("0198c7d2-0000-7000-8000-000000000001"))
SUBJECT = names.work_subject("acme", "default", LANE.job_id)
SETTLED = LaneState(pending=0, unacked=0)


@pytest.fixture
async def provisioner(nc: Connection) -> Provisioner:
    provisioner = Provisioner(nc)
    await provisioner.ensure_streams()
    await provisioner.ensure_lanes([LANE])
    return provisioner


@pytest.fixture
async def consumer(nc: Connection, provisioner: Provisioner) -> AsyncIterator[PullConsumer]:
    consumer = PullConsumer(nc, names.WORK, LANE.durable)
    yield consumer
    await consumer.close()


async def test_what_is_there_comes_at_once_and_no_more_than_asked_for(nc: Connection, consumer: PullConsumer) -> None:
    await publish(nc, "a", "b", "c")

    first = await consumer.fetch(2, 5)
    second = await consumer.fetch(10, 5)

    assert [(each.body, each.seq, each.delivered) for each in first] == [(b"a", 1, 1), (b"b", 2, 1)]
    assert [each.body for each in second] == [b"c"]
    assert first[0].subject == SUBJECT
    assert first[0].headers == {"Nats-Msg-Id": "a"}


async def test_a_message_that_comes_later_ends_the_wait(nc: Connection, consumer: PullConsumer) -> None:
    fetching = asyncio.create_task(consumer.fetch(100, 5))
    await eventually(lambda: has_asked(consumer))

    await publish(nc, "a")

    assert [each.body for each in await fetching] == [b"a"]
    assert consumer.requests == 1


async def test_nothing_there_is_an_empty_list(consumer: PullConsumer) -> None:
    assert await consumer.fetch(10, 0.2) == []
    assert await consumer.fetch(10, 0) == []


async def test_acknowledged_messages_are_gone(nc: Connection, provisioner: Provisioner, consumer: PullConsumer) -> None:
    await publish(nc, *map(str, range(300)))
    deliveries = await consumer.fetch(300, 5)

    deliveries[0].ack()
    consumer.ack_all(deliveries[1:100])
    await consumer.ack_all_sync(deliveries[100:])

    assert await provisioner.lane_state(LANE) == SETTLED


async def test_handing_back_gives_it_again_at_once_or_later(nc: Connection, consumer: PullConsumer) -> None:
    await publish(nc, "a")
    [first] = await consumer.fetch(1, 5)

    first.nak()
    [second] = await consumer.fetch(1, 5)
    second.nak(delay=0.5)
    started = time.monotonic()
    [third] = await consumer.fetch(1, 5)

    assert [second.delivered, third.delivered] == [2, 3]
    assert time.monotonic() - started > 0.3


async def test_what_is_terminated_never_comes_again(
    nc: Connection, provisioner: Provisioner, consumer: PullConsumer
) -> None:
    await publish(nc, "a")
    [delivery] = await consumer.fetch(1, 5)

    delivery.term("unreadable")

    await eventually(lambda: is_settled(provisioner))
    assert await consumer.fetch(1, 0.2) == []


async def test_a_message_in_progress_is_not_given_to_another(nc: Connection, provisioner: Provisioner) -> None:
    await JetStreamApi(nc).ask(
        f"CONSUMER.CREATE.{names.WORK}.{LANE.durable}.{LANE.subjects}",
        {"stream_name": names.WORK, "config": {**await lane_config(nc), "ack_wait": 10**9}},
    )
    consumer = PullConsumer(nc, names.WORK, LANE.durable)
    await publish(nc, "a")
    [delivery] = await consumer.fetch(1, 5)

    for _ in range(5):
        delivery.in_progress()
        assert await consumer.fetch(1, 0.4) == []

    await delivery.ack_sync()
    assert await provisioner.lane_state(LANE) == SETTLED


async def test_a_fetch_survives_the_death_of_the_server(
    server: NatsServer, nc: Connection, consumer: PullConsumer
) -> None:
    fetching = asyncio.create_task(fetch_some(consumer))
    await eventually(lambda: has_asked(consumer))

    losses = nc.losses
    server.kill()
    server.start()
    await reconnected(nc, losses)
    await publish(nc, "a")

    assert [each.body for each in await asyncio.wait_for(fetching, 10)] == [b"a"]


async def test_a_settlement_held_back_over_a_restart_still_counts(
    server: NatsServer, nc: Connection, provisioner: Provisioner, consumer: PullConsumer
) -> None:
    await publish(nc, "a", "b")
    one, two = await consumer.fetch(2, 5)
    losses = nc.losses
    server.stop()
    await eventually(lambda: is_down(nc))
    one.ack()
    server.start()
    await reconnected(nc, losses)

    two.ack()
    for forgotten in await consumer.fetch(1, 0.1):  # the server writes down what it has delivered a moment later
        assert forgotten.body == b"b"
        forgotten.ack()

    await eventually(lambda: is_settled(provisioner))


async def test_an_acknowledgement_from_before_a_wipe_touches_nothing_after_it(
    server: NatsServer, nc: Connection, provisioner: Provisioner, consumer: PullConsumer
) -> None:
    await publish(nc, "old")
    [old] = await consumer.fetch(1, 5)
    losses = nc.losses
    server.kill()
    server.wipe()
    server.start()
    await reconnected(nc, losses)
    await provision_again(provisioner)
    await publish(nc, "new")

    [new] = await fetch_some(consumer)
    old.ack()
    await nc.flush()

    assert (old.seq, new.seq, new.body) == (1, 1, b"new")
    assert await provisioner.lane_state(LANE) == LaneState(pending=0, unacked=1)


async def test_a_deleted_consumer_is_told_and_works_again_once_made_anew(
    nc: Connection, provisioner: Provisioner, consumer: PullConsumer
) -> None:
    fetching = asyncio.create_task(consumer.fetch(1, 5))
    await eventually(lambda: has_asked(consumer))

    await JetStreamApi(nc).ask(f"CONSUMER.DELETE.{names.WORK}.{LANE.durable}")
    with pytest.raises(ConsumerGoneError, match="Consumer Deleted"):
        await fetching
    with pytest.raises(ConsumerGoneError, match="not found"):
        await consumer.fetch(1, 5)
    await provision_again(provisioner)
    await publish(nc, "a")

    assert [each.body for each in await consumer.fetch(1, 5)] == [b"a"]


async def test_a_deleted_stream_is_told_and_works_again_once_made_anew(
    nc: Connection, provisioner: Provisioner, consumer: PullConsumer
) -> None:
    await publish(nc, "old")
    [old] = await consumer.fetch(1, 5)

    await JetStreamApi(nc).ask(f"STREAM.DELETE.{names.WORK}")
    with pytest.raises(ConsumerGoneError):
        await consumer.fetch(1, 5)
    await provision_again(provisioner)
    await publish(nc, "new")
    [new] = await consumer.fetch(1, 5)
    old.ack()
    await nc.flush()

    assert new.body == b"new"
    assert await provisioner.lane_state(LANE) == LaneState(pending=0, unacked=1)


async def test_a_loop_around_fetch_does_not_spin_when_the_consumer_is_gone(
    nc: Connection, consumer: PullConsumer
) -> None:
    await consumer.fetch(1, 0)
    await JetStreamApi(nc).ask(f"STREAM.DELETE.{names.WORK}")
    turns = await turns_within(1.5, consumer)

    assert 1 <= turns <= 20
    assert consumer.requests <= 20


async def test_a_loop_around_fetch_does_not_spin_while_the_server_is_down(
    server: NatsServer, nc: Connection, consumer: PullConsumer
) -> None:
    await consumer.fetch(1, 0)
    requests, processor_time = consumer.requests, time.process_time()
    server.kill()
    turns = await turns_within(1.5, consumer)

    assert turns <= 5
    assert consumer.requests - requests <= 5
    assert time.process_time() - processor_time < 0.75


async def test_several_that_wait_on_one_lane_do_not_spin(nc: Connection, provisioner: Provisioner) -> None:
    consumers = [PullConsumer(nc, names.WORK, LANE.durable) for _ in range(5)]
    fetching = [asyncio.create_task(all_that_comes(each)) for each in consumers]
    await asyncio.gather(*(eventually(lambda each=each: has_asked(each)) for each in consumers))

    await publish(nc, *map(str, range(10)))
    fetched = await asyncio.gather(*fetching)

    assert sorted(each.seq for batch in fetched for each in batch) == list(range(1, 11))
    assert sum(each.requests for each in consumers) < 100


async def test_a_cancelled_fetch_loses_no_message(nc: Connection, consumer: PullConsumer) -> None:
    fetching = asyncio.create_task(consumer.fetch(5, 5))
    await eventually(lambda: has_asked(consumer))

    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    await publish(nc, "a")

    assert [each.body for each in await consumer.fetch(5, 5)] == [b"a"]


async def test_what_lay_here_past_the_ack_wait_is_left_to_others(nc: Connection, provisioner: Provisioner) -> None:
    consumer = PullConsumer(nc, names.WORK, LANE.durable, ack_wait=0.0)
    fetching = asyncio.create_task(consumer.fetch(5, 5))
    await eventually(lambda: has_asked(consumer))
    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    await publish(nc, "a")
    await eventually(lambda: is_under_way(provisioner))

    assert await consumer.fetch(5, 0.1) == []


def test_the_place_of_a_message_is_read_from_both_forms_of_reply() -> None:
    assert _place(b"$JS.ACK.ROTA_WORK.lane.2.17.18.1700000000.5") == (2, 17)
    assert _place(b"$JS.ACK._.hash.ROTA_WORK.lane.2.17.18.1700000000.5") == (2, 17)
    assert _place(b"$JS.ACK.hub.hash.ROTA_WORK.lane.2.17.18.1700000000.5.token") == (2, 17)


def test_a_status_is_read_with_and_without_text() -> None:
    assert _status(b"NATS/1.0 503\r\n\r\n") == (503, "")
    assert _status(b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 1\r\n\r\n") == (408, "Request Timeout")
    assert _status(b"NATS/1.0\r\n\r\n") == (0, "")


async def publish(nc: Connection, *bodies: str) -> None:
    results = await Publisher(nc).publish([Message(SUBJECT, body.encode(), body) for body in bodies])
    assert all(isinstance(result, PubAck) for result in results)


async def all_that_comes(consumer: PullConsumer) -> list[Delivery]:
    """Until nothing comes any more: one fetch ends with what is there when the first message is."""
    deliveries: list[Delivery] = []
    while fetched := await consumer.fetch(20, 1.5):
        deliveries += fetched
    return deliveries


async def fetch_some(consumer: PullConsumer) -> list[Delivery]:
    """The loop that users of fetch write: again until something comes."""
    while True:
        try:
            if deliveries := await consumer.fetch(10, 2):
                return deliveries
        except ConsumerGoneError:
            continue


async def turns_within(seconds: float, consumer: PullConsumer) -> int:
    """How often a loop without any pause of its own comes around."""
    turns, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        turns += 1
        try:
            await consumer.fetch(1, 1)
        except ConsumerGoneError:
            continue
    return turns


async def provision_again(provisioner: Provisioner) -> None:
    provisioner.forget()
    await provisioner.ensure_streams()
    await provisioner.ensure_lanes([LANE])


async def lane_config(nc: Connection) -> dict[str, object]:
    found = await JetStreamApi(nc).consumer(names.WORK, LANE.durable)
    assert found is not None
    return dict(found["config"])


async def has_asked(consumer: PullConsumer) -> bool:
    return consumer.requests > 0


async def is_down(nc: Connection) -> bool:
    return not nc.is_connected


async def is_settled(provisioner: Provisioner) -> bool:
    return await provisioner.lane_state(LANE) == SETTLED


async def is_under_way(provisioner: Provisioner) -> bool:
    return await provisioner.lane_state(LANE) == LaneState(pending=0, unacked=1)
