"""The HTTP client of programs that call a server again and again, whatever becomes of it meanwhile."""

from __future__ import annotations

from typing import Any

import httpx


class WebClient(httpx.AsyncClient):
    """As httpx's own, save that every server that cannot be reached is told by httpx.TransportError.

    One that accepts and leaves at once is met by anyio, on uvloop, as a socket that is gone already: AttributeError.
    """

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # Any: httpx's own
        try:
            return await super().send(request, **options)
        except AttributeError as error:
            if error.name != "getpeername" or error.obj is not None:
                raise
            raise httpx.ConnectError("the server left at once", request=request) from error
