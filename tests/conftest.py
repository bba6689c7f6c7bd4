"""Real servers for every test that asks: started once a session; a fresh database and a clean bus for each module."""

import asyncio
import secrets
import shutil
import zoneinfo
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic

import asyncpg
import nats
import pytest
from hypothesis import settings

from rota.infrastructure.embedded.servers import EmbeddedServers

pytest_plugins = ["rota.testing.plugin"]

zoneinfo.reset_tzpath(to=())  # as the service does: the package's data is the same on every machine

settings.register_profile("rota", deadline=None)  # how fast it is says no test: that is measured in benchmarks/
settings.load_profile("rota")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """An empty directory that other users may pass through: as root, Postgres runs as somebody else.

    pytest's own are closed to them.
    """
    yield from _open_directory()


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """Sync on purpose: they outlive the event loop of any test, and must start in the main thread."""
    for directory in _open_directory():
        embedded = EmbeddedServers(directory)
        _run(embedded.start())
        yield embedded
        _run(embedded.stop())


@pytest.fixture(scope="module")
def database_url(servers: EmbeddedServers) -> Iterator[str]:
    """An empty database of the module's own."""
    name = f"test_{secrets.token_hex(6)}"
    _run(_execute(servers.postgres.url, f'CREATE DATABASE "{name}"'))
    yield servers.postgres.url.rsplit("/", 1)[0] + f"/{name}"
    _run(_execute(servers.postgres.url, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(scope="module")
def nats_url(servers: EmbeddedServers) -> Iterator[str]:
    """The operator's address. Streams that the module makes are gone after it."""
    yield servers.nats.url
    _run(_delete_streams(servers.nats.url))


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Waits until what it is given answers true; fails the test after ten seconds."""

    async def wait(look: Callable[[], object]) -> None:
        deadline = monotonic() + 10
        while not look():
            assert monotonic() < deadline, "it has not come true in time"
            await asyncio.sleep(0.01)

    return wait


def _open_directory() -> Iterator[Path]:
    directory = Path(mkdtemp(prefix="rota-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def _run(work: Coroutine[object, object, None]) -> None:
    """In a loop of its own, so that nobody else's loop or signal handler is touched."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, ssl=False)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _delete_streams(url: str) -> None:
    async with await nats.connect(url) as client:
        stream = client.jetstream()
        for info in await stream.streams_info():
            await stream.delete_stream(str(info.config.name))
