"""What asyncpg raises when Postgres has gone, in whatever moment."""

from __future__ import annotations

from typing import Final

import asyncpg

AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # "cannot switch to state …", where the connection was lost between two steps
)
