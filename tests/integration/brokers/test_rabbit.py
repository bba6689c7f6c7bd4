"""RabbitMQ, on a real server that is killed and frozen; read back by a client of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import aio_pika
import orjson
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, DeliveryMode
from pamqp.common import FieldTable
from tests.support.ports import free_port
from tests.unit.brokers.parcels import TRACE, a_parcel, carried, is_retryable, keep_in, kind_of, kinds_of

from rota.application.ports.deliveries import Delivered, Outcome
from rota.domain.delivery import QueueReceiver
from rota.domain.errors import UnavailableError
from rota.domain.ids import RunId
from rota.infrastructure.brokers.carrier import BrokerCarrier
from rota.infrastructure.brokers.letter import letter_of
from rota.infrastructure.brokers.line import Line
from rota.infrastructure.brokers.rabbit import open_rabbit

from .conftest import Server, delivered_in_time, eventually


@pytest.fixture
def mails() -> QueueReceiver:
    """A queue that no other test knows."""
    return QueueReceiver(f"mails.{uuid4()}", "billing")


@pytest.fixture
def carrier(carrier_to: Callable[..., BrokerCarrier], rabbit_url: str) -> BrokerCarrier:
    return carrier_to(billing=rabbit_url)


@pytest.fixture
async def channel(rabbit_url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(rabbit_url) as connection, connection.channel() as channel:
        yield channel


async def test_a_parcel_is_a_persistent_message_in_the_tenants_durable_queue(
    carrier: BrokerCarrier, channel: AbstractChannel, mails: QueueReceiver
) -> None:
    parcel = a_parcel(mails, payload='{ "to":"a@b" }', attempt=2, correlation_id="order-9", traceparent=TRACE)

    outcomes = await carried(carrier, [parcel])

    [message] = await messages_in(channel, f"acme.{mails.topic}")
    assert message.body == b'{ "to":"a@b" }'
    assert (message.message_id, message.correlation_id) == (str(parcel.run_id), "order-9")
    assert (message.content_type, message.delivery_mode) == ("application/json", DeliveryMode.PERSISTENT)
    assert message.headers == {
        "Rota-Run-Id": str(parcel.run_id),
        "Rota-Attempt": "2",
        "Rota-Scheduled-For": "2026-03-02T12:00:00Z",
        "traceparent": TRACE,
    }
    assert answer_of(outcomes[parcel.run_id]) == {"broker": "billing", "queue": f"acme.{mails.topic}"}
    await channel.declare_queue(f"acme.{mails.topic}", durable=True)  # refused if it were of another kind


async def test_many_parcels_for_a_new_queue_are_each_there_once(
    carrier: BrokerCarrier, channel: AbstractChannel, mails: QueueReceiver
) -> None:
    parcels = [a_parcel(mails) for _ in range(300)]

    outcomes = await carried(carrier, parcels)

    assert {type(outcome) for outcome in outcomes.values()} == {Delivered}
    assert await ids_in(channel, f"acme.{mails.topic}") == sorted(str(parcel.run_id) for parcel in parcels)


async def test_a_queue_that_the_operator_made_is_used_as_it_is(
    carrier: BrokerCarrier, channel: AbstractChannel, mails: QueueReceiver
) -> None:
    queue = f"acme.{mails.topic}"
    await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 3})
    parcel = a_parcel(mails)

    outcomes = await carried(carrier, [parcel])

    assert isinstance(outcomes[parcel.run_id], Delivered)
    assert await ids_in(channel, queue) == [str(parcel.run_id)]


async def test_a_queue_that_was_deleted_comes_back(
    carrier: BrokerCarrier, channel: AbstractChannel, mails: QueueReceiver
) -> None:
    first, second = a_parcel(mails), a_parcel(mails)
    await carried(carrier, [first])
    await channel.queue_delete(f"acme.{mails.topic}")

    outcomes = await carried(carrier, [second])

    assert isinstance(outcomes[second.run_id], Delivered)
    assert await ids_in(channel, f"acme.{mails.topic}") == [str(second.run_id)]


async def test_a_full_queue_refuses_its_parcels_for_now(
    carrier: BrokerCarrier, channel: AbstractChannel, mails: QueueReceiver
) -> None:
    limits: FieldTable = {"x-max-length": 1, "x-overflow": "reject-publish"}
    await channel.declare_queue(f"acme.{mails.topic}", durable=True, arguments=limits)
    await carried(carrier, [a_parcel(mails)])
    parcel = a_parcel(mails)

    outcomes = await carried(carrier, [parcel])

    assert kind_of(outcomes[parcel.run_id]) == "BrokerRefused"
    assert is_retryable(outcomes[parcel.run_id])


async def test_a_queue_that_may_not_be_declared_refuses_its_parcels_and_no_others(
    carrier: BrokerCarrier, mails: QueueReceiver
) -> None:
    reserved = [a_parcel(mails, tenant="amq") for _ in range(20)]
    fine = [a_parcel(mails) for _ in range(20)]

    outcomes = await carried(carrier, [*reserved, *fine])

    assert kinds_of(outcomes[parcel.run_id] for parcel in reserved) == {"BrokerRefused"}
    assert kinds_of(outcomes[parcel.run_id] for parcel in fine) == {None}


async def test_a_name_longer_than_the_protocol_allows_is_refused_for_good(carrier: BrokerCarrier) -> None:
    parcel = a_parcel(QueueReceiver("ü" * 130, "billing"))

    outcomes = await carried(carrier, [parcel])

    assert kind_of(outcomes[parcel.run_id]) == "BrokerRefused"
    assert not is_retryable(outcomes[parcel.run_id])


async def test_two_attempts_of_one_run_at_once_are_not_both_told_stored(
    carrier: BrokerCarrier, channel: AbstractChannel, mails: QueueReceiver
) -> None:
    first = a_parcel(mails)
    second = a_parcel(QueueReceiver(f"{mails.topic}.other", "billing"), run_id=first.run_id, attempt=2)
    told: list[Outcome] = []

    await carrier.carry([first, second], lambda _parcel, outcome: told.append(outcome))

    assert sorted(map(str, map(kind_of, told))) == ["BrokerRefused", "None"]
    assert await ids_in(channel, f"acme.{mails.topic}") == [str(first.run_id)]


async def test_a_server_that_is_away_is_told_at_once_and_found_when_it_comes(
    carrier: BrokerCarrier, rabbit_server: Server, mails: QueueReceiver
) -> None:
    rabbit_server.kill()
    parcel = a_parcel(mails, timeout=600)

    outcomes = await carried(carrier, [parcel])
    rabbit_server.start()
    await delivered_in_time(carrier, parcel)

    assert kind_of(outcomes[parcel.run_id]) == "BrokerUnavailable"
    assert is_retryable(outcomes[parcel.run_id])


async def test_every_parcel_told_delivered_before_a_kill_is_there_after_it(
    carrier: BrokerCarrier, rabbit_server: Server, rabbit_url: str, mails: QueueReceiver
) -> None:
    await carried(carrier, [a_parcel(mails)])
    # The server writes down that there is a queue some time after it said so; what is confirmed in it, before.
    await asyncio.to_thread(rabbit_server.stop)
    await asyncio.to_thread(rabbit_server.start)
    parcels = [a_parcel(mails) for _ in range(5_000)]
    outcomes: dict[RunId, Outcome] = {}
    carrying = asyncio.create_task(carrier.carry(parcels, keep_in(outcomes)))
    await eventually(lambda: are_told(outcomes, 100))

    rabbit_server.kill()
    await carrying
    rabbit_server.start()

    told = {str(run_id) for run_id, outcome in outcomes.items() if isinstance(outcome, Delivered)}
    assert len(outcomes) == len(parcels)
    assert kinds_of(outcomes.values()) == {None, "BrokerUnavailable"}
    async with await aio_pika.connect(rabbit_url) as connection, connection.channel() as channel:
        assert told <= set(await ids_in(channel, f"acme.{mails.topic}"))


async def test_a_server_restarted_between_two_parcels_costs_none(
    carrier: BrokerCarrier, rabbit_server: Server, mails: QueueReceiver
) -> None:
    await carried(carrier, [a_parcel(mails)])
    await asyncio.to_thread(rabbit_server.kill)
    await asyncio.to_thread(rabbit_server.start)
    parcel = a_parcel(mails)

    outcomes = await carried(carrier, [parcel])

    assert isinstance(outcomes[parcel.run_id], Delivered)


async def test_a_silent_server_costs_a_parcel_its_own_time_and_is_used_again_when_it_answers(
    carrier: BrokerCarrier, rabbit_server: Server, mails: QueueReceiver
) -> None:
    await carried(carrier, [a_parcel(mails)])
    rabbit_server.freeze()
    given_up = [a_parcel(mails, timeout=0.2) for _ in range(100)]

    silent = await carried(carrier, given_up)
    rabbit_server.thaw()
    parcel = a_parcel(mails)
    outcomes = await carried(carrier, [parcel])

    assert kinds_of(silent.values()) == {"BrokerUnavailable"}
    assert isinstance(outcomes[parcel.run_id], Delivered)


async def test_a_link_on_which_heartbeats_stay_out_is_lost_and_its_letters_are_told(
    rabbit_server: Server, rabbit_url: str, mails: QueueReceiver
) -> None:
    line = Line("billing", lambda: open_rabbit(rabbit_url, heartbeat_sec=1))
    await line.put(letter_of(a_parcel(), mails.topic))
    rabbit_server.freeze()

    putting = [line.put(letter_of(a_parcel(), mails.topic)) for _ in range(10)]
    told = await asyncio.gather(*putting, return_exceptions=True)
    rabbit_server.thaw()
    await line.close()

    assert {type(each) for each in told} == {UnavailableError}


async def test_servers_that_are_away_hold_up_no_other(
    carrier_to: Callable[..., BrokerCarrier], rabbit_url: str, redis_url: str, mails: QueueReceiver
) -> None:
    carrier = carrier_to(away=f"amqp://127.0.0.1:{free_port()}", billing=rabbit_url, cache=redis_url)
    lost = a_parcel(QueueReceiver("mails", "away"))
    fine = [a_parcel(mails), a_parcel(QueueReceiver("mails", "cache"))]

    outcomes = await carried(carrier, [lost, *fine])

    assert kind_of(outcomes[lost.run_id]) == "BrokerUnavailable"
    assert kinds_of(outcomes[parcel.run_id] for parcel in fine) == {None}


async def test_a_password_that_is_refused_is_told_to_nobody(
    carrier_to: Callable[..., BrokerCarrier],
    rabbit_server: Server,
    mails: QueueReceiver,
    capsys: pytest.CaptureFixture[str],
) -> None:
    carrier = carrier_to(billing=f"amqp://guest:secret@127.0.0.1:{rabbit_server.port}/")
    parcel = a_parcel(mails)

    outcomes = await carried(carrier, [parcel])

    assert kind_of(outcomes[parcel.run_id]) == "BrokerUnavailable"
    assert "secret" not in str(outcomes) + "".join(capsys.readouterr())


def answer_of(outcome: Outcome) -> Any:  # Any: JSON
    assert isinstance(outcome, Delivered), outcome
    return orjson.loads(outcome.answer or "")


async def messages_in(channel: AbstractChannel, name: str) -> list[AbstractIncomingMessage]:
    """Takes all that is there."""
    queue = await channel.get_queue(name)
    messages: list[AbstractIncomingMessage] = []
    while (message := await queue.get(no_ack=True, fail=False)) is not None:
        messages.append(message)
    return messages


async def ids_in(channel: AbstractChannel, name: str) -> list[str]:
    return sorted(str(message.message_id) for message in await messages_in(channel, name))


async def are_told(outcomes: dict[RunId, Outcome], count: int) -> bool:
    return len(outcomes) >= count
