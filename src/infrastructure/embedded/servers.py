"""Both embedded servers, as one thing that starts and stops."""

import asyncio
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from rota.infrastructure.embedded.nats import EmbeddedNats
from rota.infrastructure.embedded.postgres import EmbeddedPostgres

LOOK_EVERY = timedelta(seconds=0.25)


class EmbeddedServers:
    """Postgres in `data_dir/postgres` and nats-server in `data_dir/nats`. `sync_interval` is that of EmbeddedNats.

    async with EmbeddedServers(data_dir) as servers:
        print(servers.postgres.url, servers.nats.url)
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        postgres_port: int | None = None,
        nats_port: int | None = None,
        sync_interval: str | None = None,
    ) -> None:
        self.postgres = EmbeddedPostgres(data_dir / "postgres", port=postgres_port)
        self.nats = EmbeddedNats(data_dir / "nats", port=nats_port, sync_interval=sync_interval)

    @staticmethod
    def last_urls(data_dir: Path) -> tuple[str, str] | None:
        """Where Postgres and NATS of this directory listened last, as `url` tells it; None if it was never used."""
        try:
            return EmbeddedPostgres.last_url(data_dir / "postgres"), EmbeddedNats.last_url(data_dir / "nats")
        except OSError:
            return None

    async def start(self) -> None:
        """Both or none. Raises EmbeddedServerError."""
        try:
            async with asyncio.TaskGroup() as starting:
                starting.create_task(self.postgres.start())
                starting.create_task(self.nats.start())
        except BaseExceptionGroup as failed:
            await self.stop()
            raise failed.exceptions[0] from failed.exceptions[0].__cause__
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """In reverse, each in its orderly way; nothing where nothing runs."""
        await self.nats.stop()
        await self.postgres.stop()

    async def watch(self) -> None:
        """Does not return. Raises EmbeddedServerError when one of them has ended by itself."""
        while True:
            self.postgres.check()
            self.nats.check()
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
