"""Witnesses: a reader of the log, a look at the relay's cursor, and at whether the machine itself stood still."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
from tests.e2e.checker.history import CursorSample, Fault, Seen
from tests.e2e.nemesis.away import AWAY

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Step: TypeAlias = Callable[[Connection], Awaitable[None]]

PAUSE = 0.05
LOOK_EVERY = 0.1
PAGE = 1_000
STALL = 0.5
"""Seconds by which a look may be late before the machine is held to be at fault."""

_AFTER = "SELECT position, id FROM events WHERE position > $1 ORDER BY position LIMIT $2"
_CURSOR = "SELECT clock_timestamp(), position FROM cursors WHERE name = 'relay'"
_LAST = "SELECT coalesce(max(position), 0) FROM events"


class LogReader:
    """Follows the log as any reader does: by the position that it saw last, and no other memory."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    async def step(self, connection: Connection) -> None:
        for row in await connection.fetch(_AFTER, self._position, PAGE):
            self.seen.append(Seen(row["position"], row["id"]))

    async def has_all(self, connection: Connection) -> bool:
        await self.step(connection)
        return bool(self._position >= await connection.fetchval(_LAST))

    @property
    def _position(self) -> int:
        return self.seen[-1].position if self.seen else 0


class CursorWatch:
    def __init__(self) -> None:
        self.samples: list[CursorSample] = []

    async def step(self, connection: Connection) -> None:
        row = await connection.fetchrow(_CURSOR)
        if row is not None and (not self.samples or row[1] != self.samples[-1].position):
            self.samples.append(CursorSample(row[0], row[1]))


async def keep_looking(url: Callable[[], str], step: Step, every: float) -> None:
    """Until cancelled, over a connection of its own, made anew whenever it breaks."""
    while True:
        with suppress(*AWAY):
            connection: Connection = await asyncpg.connect(url(), timeout=3, command_timeout=5, ssl=False)
            try:
                while True:
                    await step(connection)
                    await asyncio.sleep(every)
            finally:
                connection.terminate()
        await asyncio.sleep(every)


async def watch_for_stalls(faults: list[Fault]) -> None:
    """Until cancelled. What everybody waited for is nobody's fault; it excuses like one."""
    while True:
        before = datetime.now(UTC)
        await asyncio.sleep(LOOK_EVERY)
        now = datetime.now(UTC)
        if now - before > timedelta(seconds=LOOK_EVERY + STALL):
            faults.append(Fault("machine_stalled", "everything", before, now))
