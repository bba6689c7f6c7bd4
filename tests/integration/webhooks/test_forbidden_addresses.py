"""Receivers inside are refused before a connection is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from tests.integration.webhooks.conftest import Raw, Receiver, WallClock, delivered, undelivered
from tests.unit.webhooks.parcels import a_parcel

from rota.domain.delivery import HttpReceiver
from rota.infrastructure.webhooks.carrier import HttpCarrier


@pytest.fixture
async def outward() -> AsyncIterator[HttpCarrier]:
    """A carrier as it comes: to the internet only."""
    async with HttpCarrier(WallClock()) as made:
        yield made


async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("0.0.0.0", id="unspecified"),
        pytest.param("0", id="unspecified, short"),
        pytest.param("127.1", id="short"),
        pytest.param("2130706433", id="decimal"),
        pytest.param("0x7f.1", id="hex, short"),
        pytest.param("0x7f000001", id="hex"),
        pytest.param("0177.0.0.1", id="octal"),
        pytest.param("017700000001", id="octal, one number"),
        pytest.param("127.0.0.1.", id="with a dot"),
        pytest.param("localhost", id="name"),
        pytest.param("LOCALHOST", id="name in capitals"),
        pytest.param("[::1]", id="loopback, 6"),
        pytest.param("[::]", id="unspecified, 6"),
        pytest.param("[::ffff:127.0.0.1]", id="mapped"),
        pytest.param("[::ffff:7f00:1]", id="mapped, hex"),
        pytest.param("[0:0:0:0:0:ffff:127.0.0.1]", id="mapped, long"),
        pytest.param("[::127.0.0.1]", id="compatible"),
        pytest.param("[64:ff9b::7f00:1]", id="NAT64"),
        pytest.param("[2002:7f00:1::]", id="6to4"),
        pytest.param("[fe80::1%25lo]", id="with a zone"),
        pytest.param("169.254.169.254", id="cloud metadata"),
        pytest.param("100.100.100.200", id="cloud metadata, CGNAT"),
        pytest.param("[fd00:ec2::254]", id="cloud metadata, 6"),
        pytest.param("10.0.0.1", id="private"),
        pytest.param("224.0.0.1", id="multicast"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_address_inside_is_refused_however_it_is_written(
    outward: HttpCarrier, raw: Raw, scheme: str, host: str
) -> None:
    receiver = await raw(hold)

    outcome = await undelivered(outward, a_parcel(HttpReceiver(url=f"{scheme}://{host}:{receiver.port}/")))

    assert outcome.error.type == "HttpForbiddenAddress"
    assert not outcome.retryable
    assert receiver.connections == 0


async def test_a_name_with_a_dot_is_no_way_round(outward: HttpCarrier, raw: Raw) -> None:
    receiver = await raw(hold)

    outcome = await undelivered(outward, a_parcel(HttpReceiver(url=f"http://localhost.:{receiver.port}/")))

    assert outcome.error.type in ("HttpForbiddenAddress", "HttpConnection"), "not every system knows this name"
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["169.254.169.254", "8.8.8.8"]],
)
async def test_a_name_for_an_address_inside_is_refused(raw: Raw, addresses: Sequence[str]) -> None:
    async def look_up(host: str) -> Sequence[str]:
        return addresses

    receiver = await raw(hold)
    async with HttpCarrier(WallClock(), look_up=look_up) as carrier:
        outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=f"http://hooks.example:{receiver.port}/")))

    assert outcome.error.type == "HttpForbiddenAddress"
    assert not outcome.retryable
    assert receiver.connections == 0


async def test_a_refusal_does_not_tell_what_lies_inside() -> None:
    async def look_up(host: str) -> Sequence[str]:
        return ["10.20.30.40"]

    async with HttpCarrier(WallClock(), look_up=look_up) as carrier:
        outcome = await undelivered(carrier, a_parcel(HttpReceiver(url="http://inside.example/")))

    assert "10.20.30.40" not in outcome.error.message


async def test_refusals_open_no_circuit(outward: HttpCarrier) -> None:
    outcomes = [await undelivered(outward, a_parcel(HttpReceiver(url="http://127.0.0.1:9/"))) for _ in range(10)]

    assert {outcome.error.type for outcome in outcomes} == {"HttpForbiddenAddress"}


async def test_an_address_inside_is_delivered_to_where_that_is_allowed(
    carrier: HttpCarrier, receiver: Receiver
) -> None:
    await delivered(carrier, a_parcel(HttpReceiver(url=f"http://localhost:{receiver.port}/")))

    assert len(receiver.received) == 1
