"""Names to addresses, off the event loop.

A name server that does not answer holds a thread for as long as the system's resolver waits, so that lookups have
threads of their own and each tenant only a share of them: one tenant's dead names do not hold up another's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

LookUp: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""From a host's name to all its addresses; raises OSError."""

THREADS: Final = 64
SHARE: Final = 8

on_behalf_of: ContextVar[str] = ContextVar("on_behalf_of", default="")
"""The tenant whose share is used. aiohttp's resolver is told only a host, hence the context."""


class SystemLookUp:
    """The system's own resolver, with /etc/hosts and all."""

    def __init__(self, ask: Callable[[str], Sequence[str]] | None = None) -> None:
        self._ask = ask or _addresses
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lookup")
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def __call__(self, host: str) -> Sequence[str]:
        share = self._shares.setdefault(on_behalf_of.get(), asyncio.Semaphore(SHARE))
        async with share:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, host)

    def close(self) -> None:
        """Waits for nobody; a lookup that is under way ends with the system's patience."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except ValueError as error:  # a label of 64 characters, for example
        raise OSError(f"{host!r} cannot be a name") from error
    return [str(address[0]) for *_, address in found]
