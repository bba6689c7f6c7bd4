"""Deliveries to receivers that behave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook
from tests.integration.webhooks.conftest import Raw, Receiver, WallClock, carry, delivered, request_read, undelivered
from tests.support.builders import next_id
from tests.unit.webhooks.parcels import OLD_SECRET, SECRET, TRACEPARENT, a_parcel

from rota.application.ports.deliveries import Delivered, Outcome, Parcel
from rota.domain.delivery import EventReceiver, HttpReceiver
from rota.domain.ids import RunId
from rota.domain.payload import Json
from rota.infrastructure.webhooks.carrier import HttpCarrier

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


async def test_a_delivery_is_the_request_that_was_asked_for(carrier: HttpCarrier, receiver: Receiver) -> None:
    target = HttpReceiver(
        url=f"{receiver.url}/a%2Fb/%41?q=a+b&empty=#part",
        method="PUT",
        headers=(("X-Tag", "one"), ("Authorization", "Bearer abc")),
        body='{"größe": 1}',
    )

    await delivered(carrier, a_parcel(target, traceparent=TRACEPARENT))

    [request] = receiver.received
    assert (request.method, request.path) == ("PUT", "/a%2Fb/%41?q=a+b&empty=")
    assert request.body == '{"größe": 1}'.encode()
    assert request.headers["X-Tag"] == "one"
    assert request.headers["Authorization"] == "Bearer abc"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == "rota"
    assert request.headers["traceparent"] == TRACEPARENT
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"


async def test_the_answer_is_kept(carrier: HttpCarrier, receiver: Receiver) -> None:
    receiver.says(202)

    outcome = await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert json.loads(outcome.answer or "") == {"status": 202, "body": "as told"}


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
@pytest.mark.parametrize(
    ("method", "body", "payload"),
    [
        ("POST", '{"größe": [1, 2]}', None),
        ("POST", None, '{"from": "the run"}'),
        ("POST", None, None),
        ("GET", None, None),
        ("DELETE", "[]", None),
        ("PATCH", "", None),
    ],
)
async def test_every_delivery_verifies_with_the_standards_library(
    carrier: HttpCarrier, receiver: Receiver, secret: str, method: str, body: str | None, payload: str | None
) -> None:
    target = HttpReceiver(url=receiver.url, method=method, body=body)

    await delivered(carrier, a_parcel(target, payload=Json(payload) if payload else None))

    [request] = receiver.received
    Webhook(secret).verify(request.body, dict(request.headers), json_parse=False)


async def test_the_id_is_the_runs_over_all_attempts(carrier: HttpCarrier, receiver: Receiver) -> None:
    run_id = RunId(next_id())
    target = HttpReceiver(url=receiver.url)

    for attempt in (1, 2, 3):
        await delivered(carrier, a_parcel(target, run_id=run_id, attempt=attempt))

    assert [request.headers["webhook-id"] for request in receiver.received] == [str(run_id)] * 3


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_method_without_content_has_none(carrier: HttpCarrier, receiver: Receiver, method: str) -> None:
    await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url, method=method), payload=Json("{}")))

    [request] = receiver.received
    assert request.body == b""
    assert "Content-Type" not in request.headers


async def test_one_connection_serves_one_delivery_after_another(carrier: HttpCarrier, receiver: Receiver) -> None:
    for _ in range(20):
        await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert len(receiver.connections) == 1


async def test_each_outcome_is_told_as_soon_as_it_is_known(carrier: HttpCarrier, receiver: Receiver) -> None:
    quick_is_told = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/slow":
            await quick_is_told.wait()
        return web.Response()

    def done(parcel: Parcel, _: Outcome) -> None:
        told.append(parcel)
        quick_is_told.set()

    receiver.answer = answer
    told: list[Parcel] = []
    slow, quick = (a_parcel(HttpReceiver(url=f"{receiver.url}/{path}")) for path in ("slow", "quick"))

    await asyncio.wait_for(carrier.carry([slow, quick], done), 10)

    assert told == [quick, slow]


async def test_hundreds_that_hang_hold_up_no_other(
    carrier: HttpCarrier, receiver: Receiver, raw: Raw, eventually: Eventually
) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    silent = await raw(hang)
    stuck = [a_parcel(HttpReceiver(url=silent.url)) for _ in range(300)]
    lively = [a_parcel(HttpReceiver(url=receiver.url)) for _ in range(50)]
    told: list[Parcel] = []
    carrying = asyncio.create_task(carrier.carry([*stuck, *lively], lambda parcel, _: told.append(parcel)))

    await eventually(lambda: silent.connections == 300 and len(told) == 50)

    assert set(told) == set(lively)
    carrying.cancel()
    await asyncio.gather(carrying, return_exceptions=True)


async def test_what_is_cancelled_is_given_up_and_not_told(
    carrier: HttpCarrier, receiver: Receiver, eventually: Eventually
) -> None:
    given_up = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError

    receiver.answer = answer
    told: list[Outcome] = []
    parcel = a_parcel(HttpReceiver(url=receiver.url))
    carrying = asyncio.create_task(carrier.carry([parcel], lambda _, outcome: told.append(outcome)))
    await eventually(lambda: receiver.received)

    carrying.cancel()

    with pytest.raises(asyncio.CancelledError):
        await carrying
    await asyncio.wait_for(given_up.wait(), 10)
    assert told == []


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "GET"])
async def test_a_kept_connection_that_its_receiver_closes_costs_no_attempt(
    carrier: HttpCarrier, raw: Raw, method: str
) -> None:
    bodies: list[bytes] = []

    async def close_on_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await request_read(reader))
        writer.write(OK)
        await reader.read(1)

    receiver = await raw(close_on_the_second)
    target = HttpReceiver(url=receiver.url, method=method, body="{}")

    for _ in range(3):
        await delivered(carrier, a_parcel(target))

    assert receiver.connections == 3
    assert all(body.endswith(b"\r\n\r\n{}") for body in bodies)


async def test_a_fresh_connection_that_is_lost_is_not_tried_twice(carrier: HttpCarrier, raw: Raw) -> None:
    async def close(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request_read(reader)

    receiver = await raw(close)

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert outcome.error.type == "HttpConnection"
    assert receiver.connections == 1


async def test_a_cookie_is_not_kept_for_the_next(carrier: HttpCarrier, receiver: Receiver) -> None:
    receiver.says(200, Set_Cookie="who=acme; Path=/")

    await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))
    await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert not any("Cookie" in request.headers for request in receiver.received)


async def test_the_environments_proxies_are_not_asked(
    carrier: HttpCarrier, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert len(receiver.received) == 1


async def test_a_name_keeps_its_host_header_and_is_asked_for_once(receiver: Receiver) -> None:
    asked: list[str] = []

    async def look_up(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    target = HttpReceiver(url=f"http://hooks.example:{receiver.port}/")
    async with HttpCarrier(WallClock(), allow_private=True, look_up=look_up) as carrier:
        outcomes = await carry(carrier, *(a_parcel(target) for _ in range(20)))

    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert asked == ["hooks.example"]
    assert {request.headers["Host"] for request in receiver.received} == {f"hooks.example:{receiver.port}"}


async def test_a_parcel_for_another_carrier_spoils_no_neighbour(carrier: HttpCarrier, receiver: Receiver) -> None:
    stray = a_parcel(EventReceiver(topic="orders"))  # type: ignore[arg-type]  # the fault under test

    wrong, right = await carry(carrier, stray, a_parcel(HttpReceiver(url=receiver.url)))

    assert isinstance(right, Delivered)
    assert not isinstance(wrong, Delivered)
    assert wrong.error.type == "HttpUnforeseen"


async def test_what_cannot_be_sent_is_not_tried_again(carrier: HttpCarrier) -> None:
    """The definition refuses it; a receiver stored before that rule may still have it."""
    receiver = HttpReceiver(url="http://hooks.example/")
    object.__setattr__(receiver, "url", "http://a\\b.example/")

    outcome = await undelivered(carrier, a_parcel(receiver))

    assert outcome.error.type == "HttpInvalidRequest"
    assert not outcome.retryable
