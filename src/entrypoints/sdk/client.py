"""The HTTP client: `Rota` for asyncio, `RotaSync` its twin that blocks."""

from rota.entrypoints.sdk.api.client import Rota
from rota.entrypoints.sdk.api_sync.client import RotaSync

__all__ = ["Rota", "RotaSync"]
