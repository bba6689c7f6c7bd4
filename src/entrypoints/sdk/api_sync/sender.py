# Made from sdk/api by tests/support/twin.py: change it there.
"""Sending calls, and sending them again."""

import time
from collections.abc import Iterator
from typing import TypeVar

from httpx import Client, TransportError

from rota.entrypoints.sdk.asking import PREFIX
from rota.entrypoints.sdk.call import Call
from rota.entrypoints.sdk.models import Page
from rota.entrypoints.sdk.retrying import Effort

T = TypeVar("T")


class Sender:
    """What all calls of a client go through."""

    def __init__(self, http: Client, timeout: float, patience: float) -> None:
        self._http = http
        self._url = str(http.base_url).removesuffix(f"{PREFIX}/")
        self._timeout = timeout
        self._patience = patience

    def _send(self, call: Call[T], patience: float | None = None) -> T:
        """Raises RotaError. `patience`, in seconds, goes before the client's own."""
        effort = Effort(call, self._patience if patience is None else patience, self._timeout)
        while True:
            try:
                answer = self._http.request(
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
            time.sleep(wait)

    def _every(self, call: Call[Page[T]]) -> Iterator[T]:
        """All pages of a list, each fetched when it is needed."""
        while True:
            page = self._send(call)
            yield from page.items
            if page.next_cursor is None:
                return
            call = call.after(page.next_cursor)
