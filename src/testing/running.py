"""A worker beside a test."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from rota.entrypoints.sdk.waiting import first_of
from rota.entrypoints.sdk.worker import Worker
from rota.testing.loop_thread import LoopThread

REGISTER: Final = 30.0


class Served(Protocol):
    """A Rota that can be reached, as an EmbeddedRota is."""

    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...


class running:
    """`async with running(worker, rota):` the worker serves that Rota, and the server knows it when the block begins.

    At its end the worker is drained, and what still runs is handed back at once. Without `rota` it serves whom it would
    otherwise. `with running(worker, rota):` does the same in a thread, for tests without an event loop.
    Raises RotaError where the server refuses the worker, TimeoutError where it does not answer.
    """

    def __init__(self, worker: Worker, rota: Served | None = None) -> None:
        self._worker = worker
        self._rota = rota

    async def __aenter__(self) -> Worker:
        url, token = (self._rota.url, self._rota.token) if self._rota else (None, None)
        self._serving = asyncio.create_task(self._worker.run(url=url, token=token, handle_signals=False))
        registered = await first_of(asyncio.shield(self._serving), self._worker.registered(), timeout=REGISTER)
        if self._serving.done() or not registered:
            await self.__aexit__()
            raise TimeoutError(f"the server has not taken the worker within {REGISTER:g} s")
        return self._worker

    async def __aexit__(self, *_: object) -> None:
        self._worker.drain()
        self._worker.drain()
        await self._serving

    def __enter__(self) -> Worker:
        self._loop = LoopThread()
        try:
            return self._loop.run(self.__aenter__())
        except BaseException:
            self._loop.close()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self._loop.run(self.__aexit__())
        finally:
            self._loop.close()
