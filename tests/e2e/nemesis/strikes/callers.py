"""Clients that go away in the middle of a request, at any point of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import orjson
from tests.e2e.nemesis.field import Field, drawn
from tests.e2e.nemesis.strike import Kind, Strike
from tests.e2e.nemesis.work import JOBS

AT_ONCE = 4
WAIT = 0.05
"""Seconds at most from the last byte sent until the client is gone."""


async def hasty_clients(field: Field, strike: Strike) -> None:
    """They order runs, some of which are made: nobody waits to hear of them."""
    url = drawn(field.cluster.urls, strike)
    with field.noted(strike.kind, url, at_edge=True):
        until = asyncio.get_running_loop().time() + strike.lasts
        async with asyncio.TaskGroup() as clients:
            for number in range(AT_ONCE):
                clients.create_task(_be_hasty(url, field.cluster.token, random.Random(strike.draw + number), until))


async def _be_hasty(url: str, token: str, chance: random.Random, until: float) -> None:
    while asyncio.get_running_loop().time() < until:
        request = _request(token, chance)
        with suppress(OSError, TimeoutError):
            await _send_some(url, request[: chance.choice((chance.randrange(len(request)), len(request)))], chance)
        await asyncio.sleep(chance.uniform(0, WAIT))


async def _send_some(url: str, part: bytes, chance: random.Random) -> None:
    where = urlsplit(url)
    async with asyncio.timeout(2):
        _, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        writer.write(part)
        await asyncio.sleep(chance.uniform(0, WAIT))
    finally:
        writer.transport.abort()


def _request(token: str, chance: random.Random) -> bytes:
    orders = [{"job": JOBS[0], "payload": {"hasty": n, "text": "x" * 100}} for n in range(chance.randint(1, 40))]
    body = orjson.dumps(orders)
    path, body = chance.choice((("POST /api/v1/runs/batch", body), ("GET /api/v1/runs?limit=200", b"")))
    head = (
        f"{path} HTTP/1.1\r\nHost: rota\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


KINDS: Mapping[str, Kind] = {"hasty_clients": Kind(hasty_clients, 2, (1, 4), fault="17")}
