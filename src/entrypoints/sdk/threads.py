"""Threads for handlers that are plain functions.

Daemon threads of our own, because those of `concurrent.futures` are waited for when Python ends: one handler that never
returns would keep a drained worker from ending. A thread cannot be stopped; its slot stays taken until it is done.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Call = Callable[[], Any]
Done = Callable[[Any, BaseException | None], None]


class Threads:
    """As many threads as there are calls at once, at most `most`; used again, never waited for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._busy = 0
        self._calls: SimpleQueue[tuple[Call, Done] | None] = SimpleQueue()

    def submit(self, call: Call, done: Done) -> None:
        """Has `call` made in a thread, with the context variables of here, and `done` in this event loop.

        Where the machine gives no thread more, the call waits for one of those there are; without any it has failed.
        """
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        self._busy += 1
        refusal = self._add() if self._busy > self._threads and self._threads < self._most else None
        hand_over = self._handing_over(done, loop)
        if refusal is not None and self._threads == 0:
            hand_over(None, refusal)
        else:
            self._calls.put((lambda: context.run(call), hand_over))

    def close(self) -> None:
        """Threads end when their call does."""
        for _ in range(self._threads):
            self._calls.put(None)

    def _add(self) -> RuntimeError | None:
        """Answers why there is no thread more, if so."""
        try:
            threading.Thread(target=self._work, name=f"rota-job-{self._threads + 1}", daemon=True).start()
        except RuntimeError as refusal:
            return refusal
        self._threads += 1
        return None

    def _work(self) -> None:
        while (order := self._calls.get()) is not None:
            call, done = order
            try:
                value = call()
            except BaseException as error:  # whatever a handler raises is its outcome
                done(None, error)
            else:
                done(value, None)

    def _handing_over(self, done: Done, loop: asyncio.AbstractEventLoop) -> Done:
        def in_loop(value: Any, error: BaseException | None) -> None:
            self._busy -= 1
            done(value, error)

        def from_thread(value: Any, error: BaseException | None) -> None:
            try:
                loop.call_soon_threadsafe(in_loop, value, error)
            except RuntimeError:  # the loop has ended before the handler did
                return

        return from_thread
