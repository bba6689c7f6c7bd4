"""Sending calls, and sending them again."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from httpx import TransportError

from rota.entrypoints.sdk.asking import PREFIX
from rota.entrypoints.sdk.call import Call
from rota.entrypoints.sdk.models import Page
from rota.entrypoints.sdk.retrying import Effort
from rota.entrypoints.web_client import WebClient

T = TypeVar("T")


class Sender:
    """What all calls of a client go through."""

    def __init__(self, http: WebClient, timeout: float, patience: float) -> None:
        self._http = http
        self._url = str(http.base_url).removesuffix(f"{PREFIX}/")
        self._timeout = timeout
        self._patience = patience

    async def _send(self, call: Call[T], patience: float | None = None) -> T:
        """Raises RotaError. `patience`, in seconds, goes before the client's own."""
        effort = Effort(call, self._patience if patience is None else patience, self._timeout)
        while True:
            try:
                answer = await self._http.request(
                    call.method,
                    call.path,
                    params=call.query,
                    content=call.body,
                    headers=call.headers,
                    timeout=effort.begin(),
                )
            except TransportError as error:
                wait = effort.after_silence(error, self._url)
            else:
                if effort.has_worked(answer):
                    return call.read(answer.content)
                wait = effort.after_answer(answer)
            await asyncio.sleep(wait)

    async def _every(self, call: Call[Page[T]]) -> AsyncIterator[T]:
        """All pages of a list, each fetched when it is needed."""
        while True:
            page = await self._send(call)
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            call = call.after(page.next_cursor)
