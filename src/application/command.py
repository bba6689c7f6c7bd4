"""Commands say what somebody wants; the bus brings each to its one handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from rota.domain.errors import ConcurrentChangeError

Answer = TypeVar("Answer")
TRIES = 3


class Message(Generic[Answer]):
    """A command or a query; the type parameter is what its handler answers."""

    __slots__ = ()


class MessageBus:
    """Each kind of message has one handler. A lost race is tried again, from the start."""

    def __init__(self) -> None:
        # Any: each message's own class and answer, which `on` and `handle` tie together.
        self._handlers: dict[type[Message[Any]], Callable[[Any], Awaitable[Any]]] = {}

    def on(self, kind: type[Message[Answer]], handler: Callable[[Any], Awaitable[Answer]]) -> None:
        self._handlers[kind] = handler

    async def handle(self, message: Message[Answer]) -> Answer:
        handler: Callable[[Message[Answer]], Awaitable[Answer]] = self._handlers[type(message)]
        for _ in range(TRIES - 1):
            try:
                return await handler(message)
            except ConcurrentChangeError:
                continue
        return await handler(message)
