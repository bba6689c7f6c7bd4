"""The relay: the log's events go to the bus, in order, each at least once.

The cursor moves only past what the bus has acknowledged: after a failure the next batch begins with what failed.
Two events of one aggregate are never under way at once, so none can overtake the other by the failure of the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from rota.application.command import Message
from rota.application.ports.bus import EventFeed
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock
from rota.application.ports.log import Cursor, Cursors, EventLog, LogEntry

RELAY = "relay"
BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Relayed:
    """`published` of `found` events; the last of those found happened `age` ago."""

    found: int = 0
    published: int = 0
    age: timedelta = timedelta(0)

    @property
    def is_backlog(self) -> bool:
        """More is likely to be waiting."""
        return self.found == BATCH

    @property
    def is_refused(self) -> bool:
        return self.published < self.found


@dataclass(frozen=True, slots=True)
class RelayEvents(Message[Relayed]):
    """One batch."""


@dataclass(slots=True)
class RelayEventsHandler:
    """Keeps its place in memory between batches; `forget` it when the lease was lost."""

    log: EventLog
    cursors: Cursors
    feed: EventFeed
    clock: Clock
    at: Checkpoint = pass_by
    _place: int | None = field(default=None)

    def forget(self) -> None:
        self._place = None

    async def __call__(self, command: RelayEvents) -> Relayed:
        if self._place is None:
            known = await self.cursors.read(RELAY)
            self._place = known.position if known else 0
        entries = await self.log.after(self._place, BATCH)
        if not entries:
            return Relayed()
        published = await self._publish(entries)
        if published:
            self.at("relay.before_move")
            self._place = entries[published - 1].position
            await self.cursors.move(RELAY, Cursor(self._place))
        return Relayed(len(entries), published, self.clock.now() - entries[-1].at)

    async def _publish(self, entries: Sequence[LogEntry]) -> int:
        """How many, from the first on, are acknowledged; what lies beyond a failure is sent again."""
        told: set[int] = set()
        for window in windows(entries):
            acknowledged = await self.feed.publish(window)
            told.update(entry.position for entry in window[:acknowledged])
            if acknowledged < len(window):
                break
        return next((index for index, entry in enumerate(entries) if entry.position not in told), len(entries))


def windows(entries: Sequence[LogEntry]) -> list[list[LogEntry]]:
    """The first event of each aggregate, then the second of each, and so on: no window holds two of one."""
    found: list[list[LogEntry]] = []
    rounds: dict[UUID, int] = {}
    for entry in entries:
        turn = rounds.get(entry.subject, 0)
        rounds[entry.subject] = turn + 1
        if turn == len(found):
            found.append([])
        found[turn].append(entry)
    return found
