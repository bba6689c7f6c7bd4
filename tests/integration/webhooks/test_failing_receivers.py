"""Deliveries to receivers that fail, stall, lie or flood."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.integration.webhooks.conftest import (
    Behaviour,
    Raw,
    Receiver,
    WallClock,
    delivered,
    request_read,
    undelivered,
)
from tests.unit.webhooks.parcels import a_parcel

from rota.domain.delivery import HttpReceiver
from rota.infrastructure.webhooks.carrier import HttpCarrier

SHORT = timedelta(milliseconds=200)
SECOND = timedelta(seconds=1)


def replying(*parts: bytes, then_hang: bool = False) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_read(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if then_hang:
            await reader.read()

    return behave


def flooding(head: bytes, part: bytes, sent: list[int] | None = None) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_read(reader)
        writer.write(head)
        while True:
            writer.write(part)
            if sent is not None:
                sent.append(len(part))
            await writer.drain()

    return behave


def dripping(head: bytes, part: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_read(reader)
        writer.write(head)
        while True:
            writer.write(part)
            await asyncio.sleep(0.01)

    return behave


async def test_a_status_that_is_no_success_is_a_failure_with_its_answer(
    carrier: HttpCarrier, receiver: Receiver
) -> None:
    receiver.says(500)

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert (outcome.error.type, outcome.error.message) == ("HttpStatus", "the receiver answered 500")
    assert outcome.retryable
    assert json.loads(outcome.answer or "") == {"status": 500, "body": "as told"}


async def test_410_says_that_the_receiver_is_gone(carrier: HttpCarrier, receiver: Receiver) -> None:
    receiver.says(410)

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert outcome.is_gone
    assert not outcome.retryable


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_heard(carrier: HttpCarrier, receiver: Receiver, status: int) -> None:
    receiver.says(status, Retry_After="120")

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert outcome.retry_after == timedelta(seconds=120)
    assert outcome.retryable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_redirect_is_not_followed(carrier: HttpCarrier, receiver: Receiver, status: int, method: str) -> None:
    receiver.says(status, Location=f"{receiver.url}/inside")

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=f"{receiver.url}/outside", method=method)))

    assert outcome.error.type == "HttpRedirect"
    assert not outcome.retryable
    assert [request.path for request in receiver.received] == ["/outside"]


async def test_a_receiver_that_hangs_times_out(carrier: HttpCarrier, raw: Raw) -> None:
    receiver = await raw(replying(then_hang=True))

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url), timeout=SHORT))

    assert outcome.error.type == "HttpTimeout"
    assert outcome.retryable


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"x"), id="in a header"),
        pytest.param(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="in interim answers"),
    ],
)
async def test_a_receiver_that_drips_before_its_status_times_out(
    carrier: HttpCarrier, raw: Raw, behaviour: Behaviour
) -> None:
    receiver = await raw(behaviour)

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url), timeout=SHORT))

    assert outcome.error.type == "HttpTimeout"


async def test_a_name_that_is_never_resolved_times_out() -> None:
    async def look_up(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with HttpCarrier(WallClock(), look_up=look_up) as carrier:
        outcome = await undelivered(carrier, a_parcel(HttpReceiver(url="http://slow.example"), timeout=SHORT))

    assert outcome.error.type == "HttpTimeout"


async def test_a_name_without_an_address_is_a_failed_connection() -> None:
    async def look_up(host: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with HttpCarrier(WallClock(), look_up=look_up) as carrier:
        outcome = await undelivered(carrier, a_parcel(HttpReceiver(url="http://nobody.example")))

    assert (outcome.error.type, outcome.retryable) == ("HttpConnection", True)
    assert "no address" in outcome.error.message


async def test_a_port_where_nobody_listens_is_a_failed_connection(carrier: HttpCarrier) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"

        outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=url)))

    assert (outcome.error.type, outcome.retryable) == ("HttpConnection", True)
    assert "refused" in outcome.error.message.lower()


async def test_a_reset_is_a_failed_connection(carrier: HttpCarrier, raw: Raw) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_read(reader)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    receiver = await raw(reset)

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert (outcome.error.type, outcome.retryable) == ("HttpConnection", True)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(replying(b"220 mail.example ESMTP\r\n"), id="another protocol"),
        pytest.param(replying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), id="a header too long"),
        pytest.param(replying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000), id="headers too many"),
        pytest.param(flooding(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100), id="headers without end"),
        pytest.param(replying(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), id="a length below 0"),
        pytest.param(replying(b"HTTP/1.1 200 OK\r\nX: y"), id="half a header"),
        pytest.param(replying(), id="nothing"),
    ],
)
async def test_what_is_not_http_is_a_failed_connection(carrier: HttpCarrier, raw: Raw, behaviour: Behaviour) -> None:
    receiver = await raw(behaviour)

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert (outcome.error.type, outcome.retryable) == ("HttpConnection", True)


async def test_of_a_long_answer_the_beginning_is_read_and_no_more(carrier: HttpCarrier, raw: Raw) -> None:
    sent: list[int] = []
    receiver = await raw(flooding(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 10_000, sent))

    outcome = await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert json.loads(outcome.answer or "") == {"status": 200, "body": "x" * 4096}
    assert sum(sent) < 20_000_000


async def test_ten_megabytes_are_an_answer_like_any_other(carrier: HttpCarrier, receiver: Receiver) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bytes(10_000_000))

    receiver.answer = answer

    outcome = await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert json.loads(outcome.answer or "")["body"] == "\ufffd" * 4096


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(flooding(b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 1000), id="until the connection ends"),
        pytest.param(
            flooding(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"y" * 1000 + b"\r\n"),
            id="in chunks",
        ),
    ],
)
async def test_an_answer_without_end_is_a_success_by_its_status(
    carrier: HttpCarrier, raw: Raw, behaviour: Behaviour
) -> None:
    receiver = await raw(behaviour)

    outcome = await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert json.loads(outcome.answer or "")["body"] == "y" * 4096


@pytest.mark.parametrize(
    ("grace", "timeout"),
    [pytest.param(0.1, 60 * SECOND, id="the grace"), pytest.param(60.0, SECOND / 2, id="the delivery's own time")],
)
async def test_an_answer_that_drips_is_a_success_by_its_status_when_its_time_is_over(
    raw: Raw, grace: float, timeout: timedelta
) -> None:
    receiver = await raw(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"z"))

    async with HttpCarrier(WallClock(), allow_private=True, body_grace=grace) as carrier:
        outcome = await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url), timeout=timeout))

    assert set(json.loads(outcome.answer or "")["body"]) == {"z"}


async def test_a_status_stands_though_its_answer_is_cut_off(carrier: HttpCarrier, raw: Raw) -> None:
    receiver = await raw(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))

    outcome = await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert json.loads(outcome.answer or "") == {"status": 200, "body": "half"}


async def test_a_packed_answer_is_not_unpacked(carrier: HttpCarrier, receiver: Receiver) -> None:
    bomb = gzip.compress(bytes(50_000_000))

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    receiver.answer = answer

    outcome = await delivered(carrier, a_parcel(HttpReceiver(url=receiver.url)))

    assert len(json.loads(outcome.answer or "")["body"]) <= 4096
    assert receiver.received[0].headers["Accept-Encoding"] == "identity"


async def test_tls_with_somebody_who_speaks_none_fails(carrier: HttpCarrier, receiver: Receiver) -> None:
    url = receiver.url.replace("http:", "https:")

    outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=url)))

    assert (outcome.error.type, outcome.retryable) == ("HttpTls", True)


async def test_a_certificate_nobody_vouches_for_is_refused_and_the_name_was_asked_for(tmp_path: Path) -> None:
    named: list[str | None] = []

    async def look_up(host: str) -> Sequence[str]:
        return ["127.0.0.1"]

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    context = self_signed("hooks.example", tmp_path)
    context.sni_callback = lambda _, name, __: named.append(name)
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpCarrier(WallClock(), allow_private=True, look_up=look_up) as carrier:
        outcome = await undelivered(carrier, a_parcel(HttpReceiver(url=f"https://hooks.example:{port}/")))

    assert (outcome.error.type, outcome.retryable) == ("HttpTls", True)
    assert "certificate" in outcome.error.message
    assert named == ["hooks.example"]


def self_signed(name: str, directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = directory / "both.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
