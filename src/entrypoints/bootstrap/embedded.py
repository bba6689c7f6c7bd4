"""The embedded servers and everything in the data directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rota.domain.errors import UnavailableError
from rota.entrypoints.settings import Settings, SettingsError
from rota.infrastructure.embedded.servers import EmbeddedServers
from rota.infrastructure.postgres.schema import migrate

SYNC_INTERVAL = "1s"
"""How often the embedded NATS writes through to disk: what a power cut loses is sent again (`docs/decisions/`)."""


@asynccontextmanager
async def embedded(data_dir: Path, settings: Settings) -> AsyncIterator[tuple[EmbeddedServers, Settings]]:
    """Both servers running and the schema in place; the settings then name them. Raises EmbeddedServerError."""
    await asyncio.to_thread(data_dir.mkdir, parents=True, exist_ok=True)
    async with EmbeddedServers(data_dir, sync_interval=SYNC_INTERVAL) as servers:
        await asyncio.to_thread(migrate, servers.postgres.url)
        yield (
            servers,
            settings.model_copy(
                update={
                    "postgres_url": servers.postgres.url,
                    "nats_url": servers.nats.url,
                    "nats_public_url": settings.nats_public_url or f"nats://127.0.0.1:{servers.nats.port}",
                    "rota_worker_nats_user": servers.nats.worker_user,
                    "rota_worker_nats_password": servers.nats.worker_password,
                    "rota_data_dir": data_dir,
                }
            ),
        )


def migrate_database(settings: Settings) -> None:
    """Raises SettingsError without POSTGRES_URL, UnavailableError when nobody answers there."""
    if not settings.postgres_url:
        raise SettingsError("POSTGRES_URL: not set")
    try:
        migrate(settings.postgres_url)
    except OSError as error:
        raise UnavailableError(f"the database does not answer: {error}") from error
