"""Redis streams, on a real server that is killed and frozen; read back by a client of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from faststream.redis import RedisBroker, RedisStreamMessage, StreamSub
from redis.asyncio import Redis
from tests.support.ports import free_port
from tests.unit.brokers.parcels import TRACE, a_parcel, carried, is_retryable, kind_of, kinds_of

from rota.application.ports.deliveries import Delivered, Outcome, Parcel
from rota.domain.delivery import QueueReceiver
from rota.domain.ids import RunId
from rota.infrastructure.brokers.carrier import BrokerCarrier

from .conftest import Server, delivered_in_time, eventually

MAILS = QueueReceiver("mails", "cache")


@pytest.fixture
async def redis(redis_server: Server) -> AsyncIterator[Any]:
    """Any: what it answers is typed for every protocol and option at once."""
    client = Redis(host="127.0.0.1", port=redis_server.port)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def carrier(carrier_to: Callable[..., BrokerCarrier], redis_url: str) -> BrokerCarrier:
    return carrier_to(cache=redis_url)


async def test_a_parcel_is_an_entry_of_the_tenants_stream_with_payload_and_headers(
    carrier: BrokerCarrier, redis: Any
) -> None:
    parcel = a_parcel(MAILS, payload='{ "to":"a@b" }', attempt=2, correlation_id="order-9", traceparent=TRACE)

    outcomes = await carried(carrier, [parcel])

    [(entry_id, fields)] = await redis.xrange("acme.mails")
    assert orjson.loads(fields[b"__data__"]) == {
        "data": '{ "to":"a@b" }',
        "headers": {
            "content-type": "application/json",
            "correlation_id": "order-9",
            "message_id": str(parcel.run_id),
            "Rota-Run-Id": str(parcel.run_id),
            "Rota-Attempt": "2",
            "Rota-Scheduled-For": "2026-03-02T12:00:00Z",
            "traceparent": TRACE,
        },
    }
    assert answer_of(outcomes[parcel.run_id]) == {"broker": "cache", "stream": "acme.mails", "id": entry_id.decode()}


async def test_a_faststream_subscriber_is_given_the_payload_without_being_told_how(
    carrier: BrokerCarrier, redis: Any, redis_url: str
) -> None:
    heard: asyncio.Queue[tuple[object, RedisStreamMessage]] = asyncio.Queue()
    listener = RedisBroker(redis_url)

    @listener.subscriber(stream=StreamSub("acme.mails", last_id="0"))
    async def hear(body: Any, message: RedisStreamMessage) -> None:  # Any: JSON
        await heard.put((body, message))

    parcel = a_parcel(MAILS, payload='{"data": "is also a word of the envelope"}', correlation_id="order-9")
    async with listener:
        await listener.start()
        await carried(carrier, [parcel])
        body, message = await asyncio.wait_for(heard.get(), 10)

    assert body == {"data": "is also a word of the envelope"}
    assert (message.message_id, message.correlation_id) == (str(parcel.run_id), "order-9")


async def test_many_parcels_are_all_there(carrier: BrokerCarrier, redis: Any) -> None:
    parcels = [a_parcel(MAILS) for _ in range(500)]

    outcomes = await carried(carrier, parcels)

    assert {type(outcome) for outcome in outcomes.values()} == {Delivered}
    assert await ids_in(redis, "acme.mails") == sorted(str(parcel.run_id) for parcel in parcels)


async def test_a_server_that_is_away_is_told_at_once_and_found_when_it_comes(
    carrier: BrokerCarrier, redis_server: Server
) -> None:
    redis_server.kill()
    parcel = a_parcel(MAILS, timeout=600)

    outcomes = await carried(carrier, [parcel])
    redis_server.start()
    await delivered_in_time(carrier, parcel)

    assert kind_of(outcomes[parcel.run_id]) == "BrokerUnavailable"
    assert is_retryable(outcomes[parcel.run_id])


async def test_every_parcel_told_delivered_before_a_kill_is_there_after_it(
    carrier: BrokerCarrier, redis: Any, redis_server: Server
) -> None:
    parcels = [a_parcel(MAILS) for _ in range(20_000)]
    outcomes: dict[RunId, Outcome] = {}
    carrying = asyncio.create_task(carrier.carry(parcels, keep_last(outcomes)))
    await eventually(lambda: are_told(outcomes, 100))

    redis_server.kill()
    await carrying
    redis_server.start()

    told = {str(run_id) for run_id, outcome in outcomes.items() if isinstance(outcome, Delivered)}
    assert len(outcomes) == len(parcels)
    assert kinds_of(outcomes.values()) == {None, "BrokerUnavailable"}
    assert told <= set(await ids_in(redis, "acme.mails"))


async def test_a_server_restarted_between_two_parcels_costs_none(carrier: BrokerCarrier, redis_server: Server) -> None:
    await carried(carrier, [a_parcel(MAILS)])
    redis_server.kill()
    redis_server.start()
    parcel = a_parcel(MAILS)

    outcomes = await carried(carrier, [parcel])

    assert isinstance(outcomes[parcel.run_id], Delivered)


async def test_parcels_given_up_on_a_silent_server_leave_no_wrong_answers_behind(
    carrier: BrokerCarrier, redis: Any, redis_server: Server
) -> None:
    await carried(carrier, [a_parcel(MAILS)])
    given_up = [a_parcel(MAILS, timeout=0.2) for _ in range(20)]
    redis_server.freeze()

    silent = await carried(carrier, given_up)
    redis_server.thaw()
    parcels = [a_parcel(MAILS) for _ in range(20)]
    outcomes = await carried(carrier, parcels)

    assert kinds_of(silent.values()) == {"BrokerUnavailable"}
    for parcel in parcels:
        answer = answer_of(outcomes[parcel.run_id])
        [(_, fields)] = await redis.xrange(answer["stream"], answer["id"], answer["id"])
        assert id_in(fields) == str(parcel.run_id)


async def test_a_key_that_is_no_stream_refuses_its_parcels_and_no_others(carrier: BrokerCarrier, redis: Any) -> None:
    await redis.set("acme.taken", "by something else")
    taken, fine = a_parcel(QueueReceiver("taken", "cache")), a_parcel(MAILS)

    outcomes = await carried(carrier, [taken, fine])

    assert kind_of(outcomes[taken.run_id]) == "BrokerRefused"
    assert is_retryable(outcomes[taken.run_id])
    assert isinstance(outcomes[fine.run_id], Delivered)


async def test_a_server_that_is_away_holds_up_no_other(
    carrier_to: Callable[..., BrokerCarrier], redis_url: str
) -> None:
    carrier = carrier_to(away=f"redis://127.0.0.1:{free_port()}", cache=redis_url)
    lost, fine = a_parcel(QueueReceiver("mails", "away")), a_parcel(MAILS)

    outcomes = await carried(carrier, [lost, fine])

    assert kind_of(outcomes[lost.run_id]) == "BrokerUnavailable"
    assert isinstance(outcomes[fine.run_id], Delivered)


async def test_a_password_that_is_refused_is_told_to_nobody(
    carrier_to: Callable[..., BrokerCarrier], redis_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier = carrier_to(cache=f"redis://somebody:secret@127.0.0.1:{redis_server.port}")
    parcel = a_parcel(MAILS)

    outcomes = await carried(carrier, [parcel])

    assert kind_of(outcomes[parcel.run_id]) == "BrokerUnavailable"
    assert "secret" not in str(outcomes) + "".join(capsys.readouterr())


def answer_of(outcome: Outcome) -> Any:  # Any: JSON
    assert isinstance(outcome, Delivered), outcome
    return orjson.loads(outcome.answer or "")


async def ids_in(redis: Any, stream: str) -> list[str]:
    return sorted(id_in(fields) for _, fields in await redis.xrange(stream))


def id_in(fields: Any) -> str:
    return str(orjson.loads(fields[b"__data__"])["headers"]["message_id"])


def keep_last(outcomes: dict[RunId, Outcome]) -> Callable[[Parcel, Outcome], None]:
    def done(parcel: Parcel, outcome: Outcome) -> None:
        outcomes[parcel.run_id] = outcome

    return done


async def are_told(outcomes: dict[RunId, Outcome], count: int) -> bool:
    return len(outcomes) >= count
