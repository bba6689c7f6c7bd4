from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.unit.brokers.fake_link import FakeBroker
from tests.unit.brokers.parcels import a_parcel, carried, is_retryable, kind_of, kinds_of

from rota.application.ports.deliveries import Delivered, Undelivered
from rota.domain.delivery import EventReceiver, QueueReceiver
from rota.domain.errors import InvalidError
from rota.domain.payload import Json
from rota.infrastructure.brokers.carrier import BrokerCarrier
from rota.infrastructure.brokers.line import FIRST_PAUSE
from rota.infrastructure.brokers.link import Connect, RefusedError

HERE, THERE = QueueReceiver("mails", "here"), QueueReceiver("mails", "there")


@pytest.fixture
def brokers() -> dict[str, FakeBroker]:
    return {"here": FakeBroker(), "there": FakeBroker()}


@pytest.fixture
async def carrier(brokers: dict[str, FakeBroker]) -> AsyncIterator[BrokerCarrier]:
    def connect_to(name: str, _url: str) -> Connect:
        return brokers[name].connect

    carrier = BrokerCarrier({"here": "amqp://here", "there": "redis://there"}, connect_to=connect_to)
    yield carrier
    await carrier.close()


async def test_each_parcel_goes_to_the_broker_it_names_and_the_answer_says_where_it_is(
    carrier: BrokerCarrier, brokers: dict[str, FakeBroker]
) -> None:
    here, there = a_parcel(HERE), a_parcel(THERE)

    outcomes = await carried(carrier, [here, there])

    assert [letter.id for letter in brokers["here"].stored] == [str(here.run_id)]
    assert [letter.id for letter in brokers["there"].stored] == [str(there.run_id)]
    assert outcomes[here.run_id] == Delivered(Json('{"broker":"here","place":1}'))


@pytest.mark.parametrize("receiver", [QueueReceiver("mails", "nowhere"), QueueReceiver("mails"), EventReceiver("tick")])
async def test_a_parcel_for_a_broker_that_is_not_configured_is_given_up_for_good(
    carrier: BrokerCarrier, receiver: QueueReceiver | EventReceiver
) -> None:
    parcel = a_parcel(receiver)

    outcomes = await carried(carrier, [parcel])

    assert kind_of(outcomes[parcel.run_id]) == "UnknownBroker"
    assert not is_retryable(outcomes[parcel.run_id])


async def test_a_broker_that_is_away_holds_up_no_other(carrier: BrokerCarrier, brokers: dict[str, FakeBroker]) -> None:
    brokers["here"].is_there = False
    lost, fine = a_parcel(HERE), a_parcel(THERE)

    outcomes = await carried(carrier, [lost, fine])

    assert kind_of(outcomes[lost.run_id]) == "BrokerUnavailable"
    assert is_retryable(outcomes[lost.run_id])
    assert isinstance(outcomes[fine.run_id], Delivered)


async def test_a_parcel_for_a_broker_that_is_left_alone_was_not_tried_and_is_told_when_it_may_be(
    carrier: BrokerCarrier, brokers: dict[str, FakeBroker]
) -> None:
    brokers["here"].is_there = False
    first, second = a_parcel(HERE), a_parcel(HERE)

    tried = (await carried(carrier, [first]))[first.run_id]
    untried = (await carried(carrier, [second]))[second.run_id]

    assert isinstance(tried, Undelivered)
    assert isinstance(untried, Undelivered)
    assert (tried.was_tried, tried.retry_after) == (True, None)
    assert (untried.error.type, untried.was_tried) == ("BrokerUnavailable", False)
    assert untried.retry_after is not None
    assert timedelta(0) < untried.retry_after <= timedelta(seconds=FIRST_PAUSE)


async def test_a_parcel_that_breaks_the_carrier_harms_no_other(carrier: BrokerCarrier) -> None:
    broken, fine = a_parcel(HERE, payload=b'"\\ud800"'.decode("unicode_escape")), a_parcel(HERE)

    outcomes = await carried(carrier, [broken, fine])

    assert kind_of(outcomes[broken.run_id]) == "DeliveryBroken"
    assert isinstance(outcomes[fine.run_id], Delivered)


async def test_a_broker_that_does_not_answer_costs_a_parcel_its_own_time_and_no_more(
    carrier: BrokerCarrier, brokers: dict[str, FakeBroker]
) -> None:
    brokers["here"].answers.clear()
    parcels = [a_parcel(HERE, timeout=0.05) for _ in range(200)]
    fine = a_parcel(THERE)

    outcomes = await carried(carrier, [*parcels, fine])

    assert kinds_of(outcomes[parcel.run_id] for parcel in parcels) == {"BrokerUnavailable"}
    assert isinstance(outcomes[fine.run_id], Delivered)


@pytest.mark.parametrize("retryable", [True, False])
async def test_a_refusal_is_told_with_the_brokers_reason(
    carrier: BrokerCarrier, brokers: dict[str, FakeBroker], retryable: bool
) -> None:
    brokers["here"].fault = RefusedError("the queue is full", retryable=retryable)
    parcel = a_parcel(HERE)

    outcome = (await carried(carrier, [parcel]))[parcel.run_id]

    assert kind_of(outcome) == "BrokerRefused"
    assert is_retryable(outcome) is retryable
    assert "the queue is full" in str(outcome)


async def test_closing_leaves_every_broker(carrier: BrokerCarrier, brokers: dict[str, FakeBroker]) -> None:
    await carried(carrier, [a_parcel(HERE), a_parcel(THERE)])

    await carrier.close()

    assert [link.is_closed for broker in brokers.values() for link in broker.links] == [True, True]


def test_a_url_that_no_broker_has_is_refused_with_the_entry_named() -> None:
    with pytest.raises(InvalidError, match="^ROTA_BROKERS.billing: "):
        BrokerCarrier({"billing": "mqtt://there"})


@pytest.mark.parametrize(
    ("kind", "url"),
    [("rabbit", "amqp://there"), ("redis", "redis://there"), ("kafka", "kafka://there:9092")],
)
def test_a_broker_whose_library_is_missing_is_refused_with_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, kind: str, url: str
) -> None:
    monkeypatch.setitem(sys.modules, f"rota.infrastructure.brokers.{kind}", None)  # as if it could not be imported

    with pytest.raises(InvalidError, match=rf"^ROTA_BROKERS.billing: needs an extra .*: rota\[{kind}\]$"):
        BrokerCarrier({"billing": url})


@pytest.mark.parametrize(
    ("brokers", "loaded"),
    [({}, set()), ({"cache": "redis://there"}, {"redis"}), ({"billing": "amqp://there"}, {"aio_pika"})],
)
def test_only_the_libraries_of_the_brokers_named_are_loaded(brokers: dict[str, str], loaded: set[str]) -> None:
    program = f"""
import sys
from rota.infrastructure.brokers.carrier import BrokerCarrier
BrokerCarrier({brokers!r})
print(*{{"aio_pika", "aiokafka", "redis"}} & sys.modules.keys())
"""

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert set(told.stdout.split()) == loaded
