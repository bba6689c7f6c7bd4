"""One request and its answer over aiohttp, which is used here and at its seam for addresses and nowhere else."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from rota.infrastructure.webhooks.addresses import ForbiddenAddressError
from rota.infrastructure.webhooks.answer import KEPT_BYTES, Answer, Fault, FaultError
from rota.infrastructure.webhooks.lookups import LookUp
from rota.infrastructure.webhooks.request import Request
from rota.infrastructure.webhooks.resolver import CheckedResolver, checked_socket

KEPT_ALIVE: Final = 4.0
"""Seconds an idle connection is kept: less than the 5 after which common servers close theirs."""
BODY_GRACE: Final = 2.0
"""Seconds that the rest of an answer may take whose status is known."""
NAMES_KEPT: Final = 10
"""Seconds a name's checked addresses are used again, so that a herd asks for them once."""

_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)
_LOST: Final = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError)


@dataclass(slots=True)
class _Use:
    """Whether the connection that a request went out on last had been used before."""

    is_kept: bool = False


class Exchange:
    """An asynchronous context, which opens and closes the one session. No proxies, cookies, redirects or decoding."""

    def __init__(self, look_up: LookUp, *, allow_private: bool, body_grace: float = BODY_GRACE) -> None:
        self._resolver = CheckedResolver(look_up, allow_private=allow_private)
        self._allow_private = allow_private
        self._body_grace = body_grace
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._resolver,
                ttl_dns_cache=NAMES_KEPT,
                keepalive_timeout=KEPT_ALIVE,
                limit=0,
                socket_factory=None if self._allow_private else checked_socket,
            ),
            timeout=_NO_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=KEPT_BYTES,
            trace_configs=[_trace_of_use()],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def send(self, request: Request, timeout: float) -> Answer:
        """Within `timeout` seconds. Once the status is known it stands, whatever becomes of the body.

        Raises FaultError when there is no answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        response = await self._answered(request, deadline)
        try:
            body = await _first_bytes(response, min(deadline, loop.time() + self._body_grace))
            return Answer(response.status, body, response.headers.get("Retry-After"))
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _answered(self, request: Request, deadline: float) -> aiohttp.ClientResponse:
        """Raises FaultError."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._sent(request)
        except (aiohttp.ClientError, ForbiddenAddressError, OSError, ValueError) as error:
            raise _fault(error) from error

    async def _sent(self, request: Request) -> aiohttp.ClientResponse:
        """Once more if it was lost on a kept connection: its receiver may have been about to close it.

        The constant id makes that harmless. Where a method is idempotent aiohttp does so too, on any connection.
        """
        use = _Use()
        try:
            return await self._request(request, use)
        except aiohttp.ClientConnectorError:
            raise
        except _LOST:
            if not use.is_kept:
                raise
            return await self._request(request, use)

    async def _request(self, request: Request, use: _Use) -> aiohttp.ClientResponse:
        assert self._session is not None, "the exchange has not been opened"
        return await self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            trace_request_ctx=use,
        )


def _trace_of_use() -> aiohttp.TraceConfig:
    async def created(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.is_kept = False

    async def reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.is_kept = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(created)
    trace.on_connection_reuseconn.append(reused)
    return trace


async def _first_bytes(response: aiohttp.ClientResponse, deadline: float) -> bytes:
    """As many as are kept and came in time, and one look further: an answer read to its end frees its connection."""
    body = b""
    try:
        async with asyncio.timeout_at(deadline):
            while len(body) <= KEPT_BYTES and (chunk := await response.content.read(KEPT_BYTES + 1 - len(body))):
                body += chunk
    except (aiohttp.ClientError, OSError):  # TimeoutError is one
        pass
    return body[:KEPT_BYTES]


def _fault(error: Exception) -> FaultError:
    """In words that tell a tenant what to mend, and nothing about the network that Rota stands in."""
    match error:
        case ForbiddenAddressError():
            return FaultError(Fault.FORBIDDEN_ADDRESS, "the receiver's address is not a public one")
        case aiohttp.InvalidURL():
            return FaultError(Fault.FORBIDDEN_ADDRESS, "the receiver's address is not in its usual form")
        case TimeoutError():
            return FaultError(Fault.TIMEOUT, "the receiver did not answer in time")
        case aiohttp.ClientSSLError():
            return FaultError(Fault.TLS, f"no TLS with the receiver: {_tls_reason(error.os_error)}")
        case aiohttp.ClientConnectorDNSError():
            return FaultError(Fault.CONNECTION, "the receiver's name has no address")
        case aiohttp.ClientConnectorError():
            return FaultError(Fault.CONNECTION, f"the receiver cannot be reached: {_reason(error.os_error)}")
        case aiohttp.ClientResponseError():
            return FaultError(Fault.CONNECTION, "the receiver's answer is not HTTP")
        case aiohttp.ClientError() | OSError():
            return FaultError(Fault.CONNECTION, "the connection was lost before the receiver answered")
    return FaultError(Fault.INVALID_REQUEST, "the request cannot be sent as it is")


def _reason(error: OSError) -> str:
    """The system's word for it; asyncio's has the address in it."""
    return os.strerror(error.errno) if error.errno else "none of its addresses answers"


def _tls_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    known = error.reason if isinstance(error, ssl.SSLError) else None
    return known.replace("_", " ").lower() if known else "the handshake failed"
