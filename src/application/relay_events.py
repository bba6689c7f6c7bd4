"""The relay: the log's events go to the bus, in order, each at least once.

The cursor moves only past what the bus has acknowledged; a failed publish stops the window there, and the
next one begins with it. Two events of one aggregate are never under way at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from rota.application.command import Message
from rota.application.ports.bus import EventFeed
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.log import Cursor, Cursors, EventLog, LogEntry

RELAY = "relay"
BATCH = 2_000


@dataclass(frozen=True, slots=True)
class RelayEvents(Message[bool]):
    """One batch; answers whether it was worth it: False when there is nothing new or the bus refuses."""


@dataclass(slots=True)
class RelayEventsHandler:
    """Keeps its place in memory between batches; `forget` it when the lease was lost."""

    log: EventLog
    cursors: Cursors
    feed: EventFeed
    at: Checkpoint = pass_by
    _place: int | None = field(default=None)

    def forget(self) -> None:
        self._place = None

    async def __call__(self, command: RelayEvents) -> bool:
        if self._place is None:
            known = await self.cursors.read(RELAY)
            self._place = known.position if known else 0
        entries = await self.log.after(self._place, BATCH)
        if not entries:
            return False
        published = await self._publish(entries)
        if published:
            self.at("relay.before_move")
            self._place = entries[published - 1].position
            await self.cursors.move(RELAY, Cursor(self._place))
        return published == len(entries)

    async def _publish(self, entries: Sequence[LogEntry]) -> int:
        published = 0
        for window in windows(entries):
            acknowledged = await self.feed.publish(window)
            published += acknowledged
            if acknowledged < len(window):
                break
        return published


def windows(entries: Sequence[LogEntry]) -> list[Sequence[LogEntry]]:
    """Cuts before each entry whose aggregate is in the window already."""
    cut = 0
    seen: set[UUID] = set()
    found: list[Sequence[LogEntry]] = []
    for index, entry in enumerate(entries):
        if entry.subject in seen:
            found.append(entries[cut:index])
            cut = index
            seen.clear()
        seen.add(entry.subject)
    found.append(entries[cut:])
    return found
