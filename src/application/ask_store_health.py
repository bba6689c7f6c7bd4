"""How the service is, in numbers, as the store knows it."""

from __future__ import annotations

from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.health import AskStore, StoreHealth


@dataclass(frozen=True, slots=True)
class AskStoreHealth(Message[StoreHealth]):
    """Raises UnavailableError."""


@dataclass(frozen=True, slots=True)
class AskStoreHealthHandler:
    ask_store: AskStore

    async def __call__(self, command: AskStoreHealth) -> StoreHealth:
        return await self.ask_store()
