"""What can be said of a database before anything relies on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
from alembic.script import ScriptDirectory

from rota.domain.errors import UnavailableError
from rota.infrastructure.postgres.schema import alembic_config

TIMEOUT = 5.0


class StrangerError(UnavailableError):
    """The database answers, and does not take these credentials."""


class NoSuchDatabaseError(UnavailableError):
    """The server answers, and has no database of that name."""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """`size` in bytes."""

    version: str
    size: int
    is_writable: bool
    revision: str | None
    """Of the schema; None where there is none."""
    newest_revision: str
    ahead: timedelta
    """By how much its clock is ahead of ours; half the time of the question is allowed for."""

    @property
    def is_migrated(self) -> bool:
        return self.revision == self.newest_revision


async def examine_database(url: str) -> DatabaseFacts:
    """Changes nothing. Raises UnavailableError."""
    try:
        connection = await asyncpg.connect(url, timeout=TIMEOUT, command_timeout=TIMEOUT)
        try:
            asked, began = datetime.now(UTC), time.monotonic()
            now: datetime = await connection.fetchval("SELECT clock_timestamp()")
            ahead = now - asked - timedelta(seconds=(time.monotonic() - began) / 2)
            is_known = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
            return DatabaseFacts(
                version=await connection.fetchval("SHOW server_version"),
                size=await connection.fetchval("SELECT pg_database_size(current_database())"),
                is_writable=await connection.fetchval("SHOW transaction_read_only") == "off",
                revision=await connection.fetchval("SELECT version_num FROM alembic_version") if is_known else None,
                newest_revision=ScriptDirectory.from_config(alembic_config(url)).get_current_head() or "",
                ahead=ahead,
            )
        finally:
            await connection.close(timeout=TIMEOUT)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise StrangerError(str(error)) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise NoSuchDatabaseError(str(error)) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise UnavailableError(str(error) or type(error).__name__) from error
