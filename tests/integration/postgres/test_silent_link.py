"""A link that answers nothing any more: one wait tells so, and no other connection of the pool is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.e2e.proxy import Link, Proxy

from rota.domain.errors import UnavailableError
from rota.infrastructure.postgres.engine import FAREWELL, open_engine, transaction

SIZE = 4
STATEMENT_MS = 200
LEAVE = 2.0
"""Seconds that a farewell from a silent server would take."""


@pytest.fixture
def link() -> Link:
    return Link("test>postgres")


@pytest.fixture
async def engine(database_url: str, link: Link) -> AsyncIterator[AsyncEngine]:
    parts = urlsplit(database_url)
    proxy = Proxy(0, lambda: parts.port or 5432, lambda _port: link)
    await proxy.open()
    user = parts.netloc.rpartition("@")[0]
    url = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{proxy.port}"))
    engine = open_engine(url, size=SIZE, statement_ms=STATEMENT_MS, lock_ms=STATEMENT_MS)
    yield engine
    await engine.dispose()
    await proxy.close()


async def ask(engine: AsyncEngine, together: asyncio.Barrier | None = None) -> int | None:
    async with transaction(engine) as connection:
        answer: int | None = await connection.scalar(text("SELECT pg_backend_pid()"))
        if together:
            await together.wait()
        return answer


async def ask_at_once(engine: AsyncEngine) -> set[int | None]:
    together = asyncio.Barrier(SIZE)
    return set(await asyncio.gather(*(ask(engine, together) for _ in range(SIZE))))


async def test_the_first_who_waits_in_vain_frees_all_others_of_it(engine: AsyncEngine, link: Link) -> None:
    before = await ask_at_once(engine)
    assert link.silence(unless=b"no such words") == SIZE == len(before)

    with pytest.raises(UnavailableError):
        await ask(engine)

    async with asyncio.timeout(LEAVE):
        after = await ask_at_once(engine)
    assert not before & after


async def test_nobody_waits_for_leave_from_a_silent_server(engine: AsyncEngine, link: Link) -> None:
    await ask_at_once(engine)
    assert link.silence(unless=b"no such words") == SIZE

    async with asyncio.timeout(SIZE * FAREWELL):
        await engine.dispose()


async def test_a_statement_that_the_server_ends_for_its_length_costs_no_connection(engine: AsyncEngine) -> None:
    before = await ask(engine)

    with pytest.raises(UnavailableError):
        async with transaction(engine) as connection:
            await connection.execute(text("SELECT pg_sleep(60)"))

    assert await ask(engine) == before
