"""Connections to Postgres, and its errors in our words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from rota.domain.errors import ConcurrentChangeError, UnavailableError

# A process that stops in the middle of a transaction would hold its row locks for as long as it sleeps.
IDLE_IN_TRANSACTION_MS = 750
FAREWELL = 1.0
"""Seconds for taking leave of the server; none is waited for where it was silent before."""
LATEST_WORD = 0.5
"""Seconds after the end of a statement's time in which the server's word of it must be there."""

_LOST_RACE = {"40001", "40P01", "55P03"}  # serialisation failure, deadlock, lock not available
# Connection, resources, operator intervention, idle in transaction; and one that takes no writes at present.
_AWAY = ("08", "53", "57", "25P", "25006")


def open_engine(
    url: str, *, size: int = 5, statement_ms: int = 10_000, lock_ms: int = 5_000, pool_timeout: float = 5.0
) -> AsyncEngine:
    """A pool of its own of at most `size` connections; `url` is a plain `postgresql://` one.

    A statement that takes longer than `statement_ms` is ended by the server. Where that end is not heard either, the
    link is dead, and so are all connections opened before: the pool drops them, without a farewell.
    """
    silence = _Silence()
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1).replace("postgres://", "postgresql+asyncpg://", 1),
        poolclass=CountedPool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        pool_pre_ping=False,
        pool_recycle=1800,
        connect_args={
            "timeout": 5,
            "command_timeout": statement_ms / 1000 + LATEST_WORD,
            "connection_class": silence.connection_class(),
            "server_settings": {
                "application_name": "rota",
                "jit": "off",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                "statement_timeout": str(statement_ms),
                "lock_timeout": str(lock_ms),
                "tcp_keepalives_idle": "5",
                "tcp_keepalives_interval": "2",
                "tcp_keepalives_count": "2",
            },
        },
    )
    event.listen(engine.sync_engine, "connect", _json_as_text)
    event.listen(engine.sync_engine, "handle_error", silence.notice)
    return engine


class CountedPool(AsyncAdaptedQueuePool):
    """Counts how often all its connections were taken, and the seconds for which they were waited on."""

    waits = 0
    waited = 0.0

    def _do_get(self) -> ConnectionPoolEntry:
        """SQLAlchemy's own place for a pool to say how it is done; it tells nobody else of a wait."""
        if self.checkedout() < self.size():
            return super()._do_get()
        self.waits += 1
        began = time.monotonic()
        try:
            return super()._do_get()
        finally:
            self.waited += time.monotonic() - began


def pool_of(engine: AsyncEngine) -> CountedPool:
    """That of an engine that `open_engine` opened."""
    pool = engine.pool
    assert isinstance(pool, CountedPool)
    return pool


class _Silence:
    """Of one pool: since when its connections are not to be believed."""

    def __init__(self) -> None:
        self._since = float("-inf")

    def notice(self, context: ExceptionContext) -> None:
        """Has SQLAlchemy drop all connections of the pool, not only the one that was waited on."""
        if context.connection is not None and isinstance(context.original_exception, TimeoutError):
            self._since = time.monotonic()
            context.is_disconnect = context.invalidate_pool_on_disconnect = True

    def connection_class(self) -> type[asyncpg.Connection]:
        """Takes its leave of a server that may be there: one that is silent would keep each of them for seconds."""
        silence = self

        class Link(asyncpg.Connection):
            __slots__ = ("_made_at",)

            def __init__(self, *given: Any, **named: Any) -> None:  # Any: asyncpg's own business
                super().__init__(*given, **named)
                self._made_at = time.monotonic()

            async def close(self, *, timeout: float | None = None) -> None:
                """Whatever the server does, it is closed after a second; asyncpg alone might wait for ever."""
                if self._made_at < silence._since:
                    self.terminate()
                    return
                try:
                    async with asyncio.timeout(FAREWELL):
                        await super().close(timeout=timeout)
                except TimeoutError:
                    silence._since = time.monotonic()
                    self.terminate()

        return Link


def _json_as_text(connection: Any, _record: object) -> None:  # Any: SQLAlchemy's face of an asyncpg connection
    """JSON is carried as text. SQLAlchemy sets codecs in Python for it; asyncpg's own, in C, do that without."""
    for name in ("json", "jsonb"):
        connection.run_async(lambda driver, name=name: driver.reset_type_codec(name, schema="pg_catalog"))


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction, committed on a clean exit; its failures are ours."""
    async with translated(), engine.begin() as connection:
        yield connection


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """A server that is away is UnavailableError, a lost race ConcurrentChangeError; other errors are bugs."""
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError("the database has no free connection") from error
    except DBAPIError as error:
        raise _ours(error) from error
    except (OSError, asyncpg.InterfaceError, TimeoutError) as error:
        raise UnavailableError(f"the database does not answer: {error or type(error).__name__}") from error
    except asyncpg.PostgresError as error:
        raise (_of_state(error.sqlstate or "") or error) from error


def _ours(error: DBAPIError) -> Exception:
    if error.connection_invalidated or isinstance(error, (InterfaceError, OperationalError)):
        return UnavailableError("the database does not answer")
    return _of_state(getattr(error.orig, "sqlstate", None) or "") or error


def _of_state(sqlstate: str) -> Exception | None:
    if sqlstate in _LOST_RACE:
        return ConcurrentChangeError("data")
    if sqlstate.startswith(_AWAY):
        return UnavailableError("the database does not answer")
    return None
