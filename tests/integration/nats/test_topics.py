from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest
from tests.unit.brokers.parcels import NOON, SCHEDULE, TRACE, a_parcel, carried, is_retryable, keep_in, kind_of

from rota.application.ports.deliveries import Delivered, Outcome, Parcel, Undelivered
from rota.domain.attempt import RunError
from rota.domain.delivery import EventReceiver, QueueReceiver, Receiver
from rota.domain.ids import RunId
from rota.domain.payload import Json
from rota.infrastructure.nats.api import JetStreamApi
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Publisher
from rota.infrastructure.nats.topics import WAIT_FOR_LINK, NatsTopicCarrier

from .conftest import NatsServer, eventually, reconnected


@pytest.fixture
def carrier(publisher: Publisher) -> NatsTopicCarrier:
    return NatsTopicCarrier(publisher)


async def test_an_event_is_stored_as_a_cloud_event_with_the_runs_id(carrier: NatsTopicCarrier, nc: Connection) -> None:
    parcel = a_parcel(
        EventReceiver("invoice.due"),
        schedule_id=SCHEDULE,
        payload='{"invoice": 7}',
        due_at=NOON + timedelta(minutes=5),
        correlation_id="order-9",
        traceparent=TRACE,
    )

    outcomes = await carried(carrier, [parcel])

    stored = await last_on(nc, "topic.acme.invoice.due")
    assert orjson.loads(stored.data) == {
        "specversion": "1.0",
        "id": str(parcel.run_id),
        "source": "rota",
        "type": "invoice.due",
        "subject": str(SCHEDULE),
        "time": "2026-03-02T12:05:00Z",
        "scheduledfor": "2026-03-02T12:00:00Z",
        "datacontenttype": "application/json",
        "tenantid": "acme",
        "correlationid": "order-9",
        "traceparent": TRACE,
        "data": {"invoice": 7},
    }
    assert stored.headers == {"Nats-Msg-Id": str(parcel.run_id)}
    assert outcomes == {parcel.run_id: Delivered(Json('{"stream":"ROTA_TOPICS","seq":1,"duplicate":false}'))}


async def test_an_event_leaves_out_what_it_does_not_know_and_has_null_for_no_payload(
    carrier: NatsTopicCarrier, nc: Connection
) -> None:
    await carried(carrier, [a_parcel(EventReceiver("tick"))])

    event = orjson.loads((await last_on(nc, "topic.acme.tick")).data)
    assert not {"subject", "correlationid", "traceparent"} & event.keys()
    assert event["data"] is None


async def test_a_queue_gets_the_payload_as_it_is_and_the_run_in_headers(
    carrier: NatsTopicCarrier, nc: Connection
) -> None:
    parcel = a_parcel(QueueReceiver("mails.out"), payload='{ "to":"a@b" }', attempt=3, traceparent=TRACE)

    outcomes = await carried(carrier, [parcel])

    stored = await last_on(nc, "topic.acme.mails.out")
    assert stored.data == b'{ "to":"a@b" }'
    assert stored.headers == {
        "Nats-Msg-Id": str(parcel.run_id),
        "Rota-Run-Id": str(parcel.run_id),
        "Rota-Attempt": "3",
        "Rota-Scheduled-For": "2026-03-02T12:00:00Z",
        "traceparent": TRACE,
    }
    assert isinstance(outcomes[parcel.run_id], Delivered)


async def test_a_queue_gets_null_where_there_is_no_payload(carrier: NatsTopicCarrier, nc: Connection) -> None:
    await carried(carrier, [a_parcel(QueueReceiver("mails.out"))])

    assert (await last_on(nc, "topic.acme.mails.out")).data == b"null"


@pytest.mark.parametrize("receiver", [EventReceiver("tick"), QueueReceiver("tick")])
async def test_a_second_attempt_of_a_stored_run_is_delivered_and_stored_once(
    carrier: NatsTopicCarrier, nc: Connection, receiver: Receiver
) -> None:
    first = a_parcel(receiver)
    again = a_parcel(receiver, run_id=first.run_id, attempt=2)

    await carried(carrier, [first])
    outcomes = await carried(carrier, [again])

    assert outcomes == {first.run_id: Delivered(Json('{"stream":"ROTA_TOPICS","seq":1,"duplicate":true}'))}
    assert await stored(nc) == 1


async def test_tenants_with_one_topic_do_not_meet(carrier: NatsTopicCarrier, nc: Connection) -> None:
    await carried(
        carrier, [a_parcel(EventReceiver("tick"), tenant="acme"), a_parcel(EventReceiver("tick"), tenant="b")]
    )

    assert orjson.loads((await last_on(nc, "topic.acme.tick")).data)["tenantid"] == "acme"
    assert orjson.loads((await last_on(nc, "topic.b.tick")).data)["tenantid"] == "b"


async def test_a_large_batch_is_stored_in_its_order(carrier: NatsTopicCarrier, nc: Connection) -> None:
    parcels = [a_parcel(EventReceiver("tick")) for _ in range(1_500)]

    outcomes = await carried(carrier, parcels)

    assert [outcomes[parcel.run_id] for parcel in parcels] == [
        Delivered(Json(f'{{"stream":"ROTA_TOPICS","seq":{seq},"duplicate":false}}')) for seq in range(1, 1_501)
    ]


async def test_what_the_server_takes_in_no_size_is_refused_for_good_and_the_rest_is_stored(
    carrier: NatsTopicCarrier, nc: Connection
) -> None:
    fine = a_parcel(QueueReceiver("tick"))
    huge = a_parcel(QueueReceiver("tick"), payload=f'"{"x" * nc.max_payload}"')

    outcomes = await carried(carrier, [huge, fine])

    refusal = outcomes[huge.run_id]
    assert isinstance(refusal, Undelivered)
    assert (refusal.error.type, refusal.retryable) == ("BusRefused", False)
    assert isinstance(outcomes[fine.run_id], Delivered)


async def test_without_a_stream_a_parcel_is_refused_for_now(carrier: NatsTopicCarrier, nc: Connection) -> None:
    await JetStreamApi(nc).ask("STREAM.DELETE.ROTA_TOPICS")
    parcel = a_parcel(EventReceiver("tick"))

    outcomes = await carried(carrier, [parcel])

    assert (kind_of(outcomes[parcel.run_id]), is_retryable(outcomes[parcel.run_id])) == ("BusRefused", True)


async def test_a_stream_found_missing_is_there_for_the_next_attempt(publisher: Publisher, nc: Connection) -> None:
    carrier = NatsTopicCarrier(publisher, Provisioner(nc))
    await JetStreamApi(nc).ask("STREAM.DELETE.ROTA_TOPICS")
    parcel = a_parcel(EventReceiver("tick"))

    before = await carried(carrier, [parcel])
    after = await carried(carrier, [parcel])

    assert isinstance(before[parcel.run_id], Undelivered)
    assert isinstance(after[parcel.run_id], Delivered)


async def test_while_the_server_is_away_parcels_are_undelivered_and_once_it_is_back_delivered(
    server: NatsServer, carrier: NatsTopicCarrier, nc: Connection
) -> None:
    parcels = [a_parcel(EventReceiver("tick")) for _ in range(10)]
    losses = nc.losses
    server.kill()
    await eventually(lambda: is_down(nc))

    away = await carried(carrier, parcels)
    server.start()
    await reconnected(nc, losses)
    back = await carried(carrier, parcels)

    untried = RunError("BusUnavailable", "not connected")
    assert list(away.values()) == [Undelivered(error=untried, was_tried=False, retry_after=WAIT_FOR_LINK)] * 10
    assert {type(outcome) for outcome in back.values()} == {Delivered}
    assert await stored(nc) == 10


async def test_a_silent_server_holds_a_parcel_no_longer_than_its_own_time_limit(
    server: NatsServer, nc: Connection
) -> None:
    await Provisioner(nc).ensure_streams()
    patient = Publisher(nc, ack_timeout=60)
    carrier = NatsTopicCarrier(patient)
    hasty, slow = a_parcel(EventReceiver("tick"), timeout=0.1), a_parcel(EventReceiver("tick"), timeout=60)
    outcomes: dict[RunId, Outcome] = {}
    server.freeze()

    carrying = asyncio.create_task(carrier.carry([slow, hasty], keep_in(outcomes)))
    await eventually(lambda: is_told(outcomes, hasty))
    told_while_silent = set(outcomes)
    server.thaw()
    await carrying

    assert told_while_silent == {hasty.run_id}
    assert kind_of(outcomes[hasty.run_id]) == "BusUnavailable"
    assert isinstance(outcomes[slow.run_id], Delivered)


async def test_a_parcel_that_breaks_the_carrier_harms_none_with_another_time_limit(carrier: NatsTopicCarrier) -> None:
    broken, fine = a_parcel(EventReceiver("tick"), payload="\ud800", timeout=29), a_parcel(EventReceiver("tick"))

    outcomes = await carried(carrier, [broken, fine])

    assert kind_of(outcomes[broken.run_id]) == "BusUnavailable"
    assert isinstance(outcomes[fine.run_id], Delivered)


async def test_nothing_to_carry_is_nothing_done(carrier: NatsTopicCarrier) -> None:
    assert await carried(carrier, []) == {}


async def last_on(nc: Connection, subject: str) -> Any:  # Any: the client's message, its headers typed loosely
    return await nc.jetstream().get_last_msg("ROTA_TOPICS", subject)


async def stored(nc: Connection) -> int:
    state = await Provisioner(nc).stream_state("ROTA_TOPICS")
    assert state is not None
    return state.messages


async def is_told(outcomes: dict[RunId, Outcome], parcel: Parcel) -> bool:
    return parcel.run_id in outcomes


async def is_down(nc: Connection) -> bool:
    return not nc.is_connected
