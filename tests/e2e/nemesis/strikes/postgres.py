"""Postgres dies, comes and goes, is locked, full, slow, or for reading only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import asyncpg
from tests.e2e.nemesis.away import AWAY
from tests.e2e.nemesis.cluster import MAX_CONNECTIONS
from tests.e2e.nemesis.field import Field, NothingToStrikeError, drawn
from tests.e2e.nemesis.links import POSTGRES
from tests.e2e.nemesis.strike import Kind, Strike
from tests.e2e.proxy import Link, Way, Weather

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

TABLES = ("runs", "schedules", "events", "leases", "workers", "cursors")
ROUNDS, UP_FOR = 3, (1.0, 4.0)
"""Of a restart loop: how often, and how many seconds it stays up in between."""
FIND_LOCK = 2.0
"""Seconds in which somebody must append an event, whose lock is then known."""


async def stop_postgres(field: Field, strike: Strike) -> None:
    """The immediate shutdown: without a checkpoint, clients are told."""
    await _down(field, strike, signal.SIGQUIT)


async def kill_postgres(field: Field, strike: Strike) -> None:
    await _down(field, strike, signal.SIGKILL)


async def loop_postgres(field: Field, strike: Strike) -> None:
    with field.taking(POSTGRES), field.noted(strike.kind, POSTGRES):
        for number in range(ROUNDS):
            await _die(field, signal.SIGKILL if number % 2 else signal.SIGQUIT)
            await field.cluster.postgres.start()
            await asyncio.sleep(UP_FOR[0] + (UP_FOR[1] - UP_FOR[0]) * (strike.draw * (number + 1) % 1))


async def lock_table(field: Field, strike: Strike) -> None:
    """Nobody else may even read it."""
    table = drawn(TABLES, strike)
    with field.taking(POSTGRES):
        async with _session(field) as session, session.transaction():
            await session.execute("SET LOCAL statement_timeout = '5s'")
            try:
                await session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            except asyncpg.QueryCanceledError:
                raise NothingToStrikeError from None
            with field.noted(strike.kind, table):
                await asyncio.sleep(strike.lasts)


async def lock_log(field: Field, strike: Strike) -> None:
    """The advisory lock under which events are appended, found out by watching."""
    with field.taking(POSTGRES):
        async with _session(field) as session:
            key = await _appenders_lock(session)
            await session.execute("SELECT pg_advisory_lock($1)", key)
            with field.noted(strike.kind, "the log's lock"):
                await asyncio.sleep(strike.lasts)


async def crowd_postgres(field: Field, strike: Strike) -> None:
    """Others have all its connections, when the servers lose theirs."""
    with field.taking(POSTGRES):
        crowd: list[Connection] = []
        try:
            with field.noted(strike.kind, POSTGRES):
                for link in _links(field):
                    link.reset()
                await _fill(field, crowd)
                await asyncio.sleep(strike.lasts)
        finally:
            for connection in crowd:
                connection.terminate()


async def freeze_writes(field: Field, strike: Strike) -> None:
    """It takes no more writes, as a standby does, or one whose disk is nearly full."""
    with field.taking(POSTGRES):
        async with _session(field) as session:
            try:
                with field.noted(strike.kind, POSTGRES):
                    await _read_only(session, "on")
                    await asyncio.sleep(strike.lasts)
            finally:
                await _read_only(session, "off")


async def slow_postgres(field: Field, strike: Strike) -> None:
    """Half a second more for each answer, to one server or to both."""
    links = _links(field)
    slowed = links if strike.draw < 0.5 else links[:1]
    with field.holding(slowed), field.noted(strike.kind, " ".join(link.name for link in slowed)):
        for link in slowed:
            link.change(Weather(delay=0.5), Way.DOWN)
        await asyncio.sleep(strike.lasts)


async def _down(field: Field, strike: Strike, ending: signal.Signals) -> None:
    with field.taking(POSTGRES), field.noted(strike.kind, POSTGRES):
        if strike.draw < 0.5:
            field.cluster.links.shut(POSTGRES)
        await _die(field, ending)
        await asyncio.sleep(strike.lasts)
        await field.cluster.postgres.start()
        await field.cluster.links.open(POSTGRES)


async def _die(field: Field, ending: signal.Signals) -> None:
    server = field.cluster.postgres
    if server.pid is None:
        return
    os.kill(server.pid, ending)
    while server.is_running:
        await asyncio.sleep(0.02)


def _links(field: Field) -> list[Link]:
    return [field.cluster.links.between(server.name, POSTGRES) for server in field.cluster.servers]


@asynccontextmanager
async def _session(field: Field) -> AsyncIterator[Connection]:
    """Straight to the server. Raises NothingToStrikeError where it is not to be had, also later."""
    try:
        session: Connection = await asyncpg.connect(field.cluster.postgres.url, timeout=3, ssl=False)
    except AWAY as error:
        raise NothingToStrikeError from error
    try:
        yield session
    except AWAY as error:
        raise NothingToStrikeError from error
    finally:
        with suppress(*AWAY):
            await session.close(timeout=3)


async def _appenders_lock(session: Connection) -> int:
    until = asyncio.get_running_loop().time() + FIND_LOCK
    while asyncio.get_running_loop().time() < until:
        key = await session.fetchval(
            "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' LIMIT 1"
        )
        if key is not None:
            return int(key)
    raise NothingToStrikeError


async def _fill(field: Field, crowd: list[Connection]) -> None:
    while len(crowd) < MAX_CONNECTIONS:
        try:
            crowd.append(await asyncpg.connect(field.cluster.postgres.url, timeout=3, ssl=False))
        except AWAY:
            return


async def _read_only(session: Connection, value: str) -> None:
    """For every session that does not say otherwise, those that are open as well."""
    await session.execute("SET default_transaction_read_only = off")
    await session.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    await session.execute("SELECT pg_reload_conf()")


KINDS: Mapping[str, Kind] = {
    "stop_postgres": Kind(stop_postgres, 2, (0.2, 4), fault="13"),
    "kill_postgres": Kind(kill_postgres, 2, (0.2, 4), fault="13"),
    "loop_postgres": Kind(loop_postgres, 1, fault="13"),
    "lock_table": Kind(lock_table, 2, (1, 4), (20, 30), fault="14"),
    "lock_log": Kind(lock_log, 1, (1, 4), (20, 30), fault="14"),
    "crowd_postgres": Kind(crowd_postgres, 1, (2, 5), fault="14"),
    "freeze_writes": Kind(freeze_writes, 1, (1, 4), fault="14"),
    "slow_postgres": Kind(slow_postgres, 2, (3, 8), fault="14"),
}
