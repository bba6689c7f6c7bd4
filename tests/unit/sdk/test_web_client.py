"""Whoever calls again and again is told of every server that is away in the same way."""

from __future__ import annotations

import httpx
import pytest

from rota.entrypoints.web_client import WebClient


class Gone(httpx.AsyncBaseTransport):
    """A server that accepted and left at once, as anyio meets it on uvloop."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise AttributeError("'NoneType' object has no attribute 'getpeername'", name="getpeername", obj=None)


class Broken(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise AttributeError("'str' object has no attribute 'read'", name="read", obj="")


async def test_a_server_that_leaves_at_once_cannot_be_reached() -> None:
    async with WebClient(transport=Gone()) as client:
        with pytest.raises(httpx.TransportError, match="left at once"):
            await client.get("http://rota.test")


async def test_a_bug_stays_one() -> None:
    async with WebClient(transport=Broken()) as client:
        with pytest.raises(AttributeError, match="read"):
            await client.get("http://rota.test")
