"""Followers of the event log: each is given what it wants as it is stored, and nobody waits for anybody.

    behind ──has read the log up to where the others are──> abreast
       ^                                                       │
       └──────────────── its buffer is full ───────────────────┘

One look at the log serves all who are abreast. Who is behind (it began in the past, or reads more slowly than events
come) reads the log for itself, a page at a time, whenever it has taken what it had.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rota.application.ports.log import EventFilter, EventLog, EventReads, LogEntry
from rota.domain.errors import UnavailableError
from rota.domain.ids import TenantId

PAUSE: Final = 0.1
"""How soon it is looked for more."""
AWAY_PAUSE: Final = 1.0
BATCH: Final = 2_000
PAGE: Final = 200
BUFFER: Final = 1_000
"""Events that wait for one follower, at most; they are shared with all others who wait for them."""
MOST_FOLLOWERS: Final = 1_000
MOST_OF_ONE: Final = 250
"""Of one tenant, so that none takes all the places."""


class Follower:
    """One reader's place. It has been given all it wants up to `place`."""

    def __init__(self, followers: Followers, tenant_id: TenantId, wanted: EventFilter, place: int) -> None:
        self.tenant_id = tenant_id
        self.place = place
        self._followers = followers
        self._wanted = wanted
        self._buffer: list[LogEntry] = []
        self._woken = asyncio.Event()
        self.is_behind = True

    async def next(self, timeout: float) -> Sequence[LogEntry] | None:
        """What is there, in order; nothing after `timeout` seconds without any, None once all following ends."""
        deadline = time.monotonic() + timeout
        while not self._followers.has_ended:
            if found := await self._read() if self.is_behind else self._take():
                return found
            if time.monotonic() >= deadline or not (self.is_behind or await self._is_woken(deadline)):
                return None if self._followers.has_ended else ()
        return None

    def tell(self, entries: Sequence[LogEntry]) -> None:
        """Of the follower's tenant. Never waits: who does not keep up reads for itself later on."""
        found = [entry for entry in entries if entry.position > self.place and self._wanted.covers(entry)]
        if not found:
            return
        if len(self._buffer) + len(found) > BUFFER:
            self._buffer = []
            self.is_behind = True
        else:
            self._buffer += found
        self.wake()

    def wake(self) -> None:
        self._woken.set()

    async def _is_woken(self, deadline: float) -> bool:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    def _take(self) -> Sequence[LogEntry]:
        self._woken.clear()
        found, self._buffer = self._buffer, []
        if found:
            self.place = found[-1].position
        return found

    async def _read(self) -> Sequence[LogEntry]:
        reads = self._followers.reads
        try:
            stretch = await reads.stretch(self.tenant_id, self._wanted, self.place, PAGE)
            end = await reads.last() if stretch.is_end else None
        except UnavailableError:
            await asyncio.sleep(AWAY_PAUSE)
            return ()
        self.place = stretch.reached
        if end is not None:
            self.is_behind = not self._followers.takes_up(self.place, end)
            if self.is_behind and not stretch.entries:  # the others are beyond the end: its last events were removed
                await asyncio.sleep(PAUSE)
        return stretch.entries


class Followers:
    """All who follow the log through this process. `step`, done again and again, looks for more."""

    def __init__(self, events: EventLog, reads: EventReads, pause: float = PAUSE) -> None:
        self.reads = reads
        self._pause = pause
        self._log = events
        self._all: set[Follower] = set()
        self._place: int | None = None
        self._wanted = asyncio.Event()
        self.has_ended = False

    def __len__(self) -> int:
        return len(self._all)

    @contextmanager
    def joined(self, tenant_id: TenantId, wanted: EventFilter, after: int) -> Iterator[Follower]:
        """Raises UnavailableError where too many follow already, or the process ends."""
        own = sum(each.tenant_id == tenant_id for each in self._all)
        if self.has_ended or len(self._all) >= MOST_FOLLOWERS or own >= MOST_OF_ONE:
            raise UnavailableError("no more followers are taken here")
        follower = Follower(self, tenant_id, wanted, after)
        self._all.add(follower)
        try:
            yield follower
        finally:
            self._all.discard(follower)

    def takes_up(self, place: int, end: int) -> bool:
        """Whether one who has come that far is abreast of the others; the first says where they are.

        Who asked for what lies beyond the `end` of the log must not take the others there.
        """
        if self._place is None:
            self._place = min(place, end)
            self._wanted.set()
        return place >= self._place

    async def step(self) -> None:
        """Raises UnavailableError: then nobody has missed anything."""
        await self._wanted.wait()
        if self._place is None or all(follower.is_behind for follower in self._all):
            self._place = None
            self._wanted.clear()
            return
        entries = await self._log.after(self._place, BATCH)
        self._tell(entries)
        if len(entries) < BATCH:
            await asyncio.sleep(self._pause)

    def end(self) -> None:
        """Nobody follows any more."""
        self.has_ended = True
        for follower in self._all:
            follower.wake()

    def _tell(self, entries: Sequence[LogEntry]) -> None:
        if not entries:
            return
        self._place = entries[-1].position
        by_tenant: defaultdict[TenantId, list[LogEntry]] = defaultdict(list)
        for entry in entries:
            by_tenant[entry.tenant_id].append(entry)
        for follower in self._all:
            if not follower.is_behind and follower.tenant_id in by_tenant:
                follower.tell(by_tenant[follower.tenant_id])
