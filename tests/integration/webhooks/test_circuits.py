"""A receiver that keeps failing is left alone, and nobody else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from tests.integration.webhooks.conftest import Raw, Receiver, WallClock, delivered, undelivered
from tests.support.builders import ACME, GLOBEX
from tests.unit.webhooks.parcels import a_parcel

from rota.domain.delivery import HttpReceiver
from rota.domain.ids import TenantId
from rota.infrastructure.webhooks.breaker import BreakerPace, CircuitBreaker
from rota.infrastructure.webhooks.carrier import HttpCarrier

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@dataclass
class Watch:
    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def carrier(watch: Watch) -> AsyncIterator[HttpCarrier]:
    """One whose circuits go by the test's watch, without chance."""
    breaker = CircuitBreaker(BreakerPace(jitter=0))
    async with HttpCarrier(WallClock(), allow_private=True, breaker=breaker, monotonic=watch) as made:
        yield made


async def fail(carrier: HttpCarrier, url: str, times: int = 5, tenant_id: TenantId = ACME) -> list[str]:
    """The types of the errors."""
    parcels = [a_parcel(HttpReceiver(url=url), tenant_id=tenant_id) for _ in range(times)]
    return [(await undelivered(carrier, parcel)).error.type for parcel in parcels]


async def test_after_five_failures_the_receiver_is_left_alone(carrier: HttpCarrier, receiver: Receiver) -> None:
    receiver.says(503)
    assert await fail(carrier, receiver.url) == ["HttpStatus"] * 5

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=f"{receiver.url}/another/path")))

    assert outcome.error.type == "HttpCircuitOpen"
    assert outcome.retryable
    assert outcome.retry_after == timedelta(seconds=5)
    assert len(receiver.received) == 5


async def test_after_its_time_one_delivery_tries_and_its_success_lets_all_through(
    carrier: HttpCarrier, receiver: Receiver, watch: Watch
) -> None:
    receiver.says(500)
    await fail(carrier, receiver.url)
    watch.at += 5
    receiver.says(200)

    for _ in range(3):
        await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))


async def test_a_receiver_that_fails_again_is_left_alone_for_longer(
    carrier: HttpCarrier, receiver: Receiver, watch: Watch
) -> None:
    receiver.says(500)
    await fail(carrier, receiver.url)
    watch.at += 5
    await fail(carrier, receiver.url, times=1)

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert outcome.retry_after == timedelta(seconds=10)


async def test_receivers_that_refuse_connections_or_hang_are_left_alone_too(carrier: HttpCarrier, raw: Raw) -> None:
    async def close(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)

    receiver = await raw(close)

    assert await fail(carrier, receiver.url, times=6) == ["HttpConnection"] * 5 + ["HttpCircuitOpen"]


@pytest.mark.parametrize("status", [400, 404, 410, 429, 302])
async def test_a_receiver_that_refuses_is_alive(carrier: HttpCarrier, receiver: Receiver, status: int) -> None:
    receiver.says(status)

    assert "HttpCircuitOpen" not in await fail(carrier, receiver.url, times=10)


async def test_another_tenant_and_another_receiver_are_not_held_up(
    carrier: HttpCarrier, receiver: Receiver, raw: Raw
) -> None:
    async def close(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)

    broken = await raw(close)
    await fail(carrier, broken.url)

    await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))
    assert await fail(carrier, broken.url, times=1, tenant_id=GLOBEX) == ["HttpConnection"]


async def test_a_trial_that_is_cancelled_leaves_the_next_one_its_place(
    carrier: HttpCarrier, receiver: Receiver, watch: Watch, eventually: Eventually
) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    receiver.says(500)
    await fail(carrier, receiver.url)
    watch.at += 5
    receiver.answer = hang  # type: ignore[assignment]  # it never answers
    trial = asyncio.create_task(carrier.carry([a_parcel(HttpReceiver(url=receiver.url))], lambda *_: None))
    await eventually(lambda: len(receiver.received) == 6)
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    receiver.says(200)

    await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))


async def test_operators_are_told_once_when_a_circuit_opens(carrier: HttpCarrier, receiver: Receiver) -> None:
    receiver.says(500)

    with capture_logs() as logged:
        await fail(carrier, receiver.url, times=8)

    assert [(entry["event"], entry["tenant_id"], entry["receiver"]) for entry in logged] == [
        ("circuit_opened", "acme", receiver.url)
    ]
