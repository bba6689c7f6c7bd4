"""Connections to Postgres, and its errors in our words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from rota.domain.errors import ConcurrentChangeError, UnavailableError

# A process that stops in the middle of a transaction would hold its row locks for as long as it sleeps.
IDLE_IN_TRANSACTION_MS = 750

_LOST_RACE = {"40001", "40P01", "55P03"}  # serialisation failure, deadlock, lock not available
# Connection, resources, operator intervention, idle in transaction; and one that takes no writes at present.
_AWAY = ("08", "53", "57", "25P", "25006")


def open_engine(
    url: str, *, size: int = 5, statement_ms: int = 10_000, lock_ms: int = 5_000, pool_timeout: float = 5.0
) -> AsyncEngine:
    """A pool of its own of at most `size` connections; `url` is a plain `postgresql://` one."""
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1).replace("postgres://", "postgresql+asyncpg://", 1),
        pool_size=size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        pool_pre_ping=False,
        pool_recycle=1800,
        connect_args={
            "timeout": 5,
            "command_timeout": statement_ms / 1000 + 2,
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
    return engine


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
