"""A bus in memory that can fail as the real one does: go down, lose acknowledgements, lose everything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from rota.application.ports.bus import Control, IntakeLook, Lane, LaneAddress, ReportMessage, StreamLook, WorkItem
from rota.application.ports.clock import Clock
from rota.application.ports.log import LogEntry
from rota.domain.errors import UnavailableError
from rota.domain.ids import TenantId, WorkerId
from rota.domain.worker import WorkerSnapshot

FIRST_LIFE = datetime(2026, 1, 1, tzinfo=UTC)
STREAM = "ROTA_WORK"


def life(number: int) -> str:
    """A stream's lives are named by their creation: one a day here."""
    return (FIRST_LIFE + timedelta(days=number - 1)).isoformat()


class InMemoryReports:
    """The report stream and intake's place in it: what workers say, in order. Places count from 1.

    What was fetched and not acknowledged comes again with the next fetch.
    """

    def __init__(self) -> None:
        self._life = 1
        self._last_place = 0
        self._waiting: dict[int, ReportMessage] = {}
        self._more = asyncio.Event()

    def publish(self, subject: str, body: bytes) -> int:
        """What a worker does; answers the report's place."""
        self._last_place += 1
        self._waiting[self._last_place] = ReportMessage(subject, body, self._last_place)
        self._more.set()
        return self._last_place

    async def fetch(self, limit: int, timeout: float) -> Sequence[ReportMessage]:
        if not self._waiting:
            self._more.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._more.wait()
            except TimeoutError:
                return []
        return list(islice(self._waiting.values(), limit))

    async def acknowledge(self, messages: Sequence[ReportMessage]) -> None:
        for message in messages:
            self._waiting.pop(message.place, None)

    def look(self) -> IntakeLook:
        floor = min(self._waiting, default=self._last_place + 1) - 1
        return IntakeLook(life(self._life), self._last_place, floor)

    def lose_everything(self) -> None:
        """A new life begins."""
        self._life += 1
        self._last_place = 0
        self._waiting.clear()


class InMemoryWorkLanes:
    """`up` and `acknowledges` are for tests to turn; workers `take` and `acknowledge`, or `give_back`.

    A message is stored once per run, attempt and sending, as the real stream's message ids have it.
    """

    def __init__(self, reports: InMemoryReports | None = None, clock: Clock | None = None) -> None:
        self.reports = reports or InMemoryReports()
        self._clock = clock
        self._created = life(1)
        self.up = True
        self.acknowledges = True
        self._life = 1
        self._is_gone = False
        self._lanes: set[Lane] = set()
        self._waiting: dict[Lane, list[WorkItem]] = {}
        self._taken: dict[Lane, list[WorkItem]] = {}
        self._known: set[tuple[object, ...]] = set()
        self._last_seq = 0

    async def send(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        if not self.up or self._is_gone:
            return items
        for item in items:
            self._store(item)
        return () if self.acknowledges else items

    @property
    def is_up(self) -> bool:
        return self.up

    async def provide(self, lanes: Iterable[Lane]) -> None:
        self._exist()
        self._lanes.update(lanes)

    def address(self, lane: Lane) -> LaneAddress:
        return LaneAddress(STREAM, f"{lane.tenant_id}-{lane.job_id}")

    async def remove(self, lane: Lane) -> None:
        self._lanes.discard(lane)

    async def restore(self, lanes: Iterable[Lane]) -> Sequence[Lane]:
        self._exist()
        gone = [lane for lane in dict.fromkeys(lanes) if lane not in self._lanes]
        self._lanes.update(gone)
        return gone

    async def look(self) -> StreamLook:
        self._exist()
        return StreamLook(self._created, self._last_seq)

    async def waiting(self, lane: Lane) -> int:
        self._exist()
        self._lanes.add(lane)
        return len(self._waiting.get(lane, ())) + len(self._taken.get(lane, ()))

    async def intake(self) -> IntakeLook:
        self._exist()
        return self.reports.look()

    # What workers do

    def take(self, lane: Lane) -> WorkItem | None:
        """The next message of the lane; None when there is none, or no such lane."""
        if not self.up or lane not in self._lanes or not self._waiting.get(lane):
            return None
        item = self._waiting[lane].pop(0)
        self._taken.setdefault(lane, []).append(item)
        return item

    def acknowledge(self, item: WorkItem) -> None:
        self._let_go(item)

    def give_back(self, item: WorkItem) -> None:
        """It is delivered again, first of its lane."""
        if self._let_go(item):
            self._waiting.setdefault(_lane_of(item), []).insert(0, item)

    # What befalls it

    def lose_everything(self) -> None:
        """The stream is gone with its messages and lanes, until somebody looks for it."""
        self._is_gone = True
        self._lanes.clear()
        self._waiting.clear()
        self._taken.clear()
        self._known.clear()
        self._last_seq = 0

    def _let_go(self, item: WorkItem) -> bool:
        """False for what an earlier life held."""
        taken = self._taken.get(_lane_of(item), [])
        if item not in taken:
            return False
        taken.remove(item)
        return True

    def _exist(self) -> None:
        if not self.up:
            raise UnavailableError("the bus does not answer")
        if self._is_gone:
            self._is_gone = False
            self._life += 1
            self._created = self._clock.now().isoformat() if self._clock else life(self._life)

    def _store(self, item: WorkItem) -> None:
        message_id = (item.run_id, item.attempt, item.sends)
        if message_id not in self._known:
            self._known.add(message_id)
            self._last_seq += 1
            self._waiting.setdefault(_lane_of(item), []).append(item)


class InMemoryEventFeed:
    """`takes` is how many more events it acknowledges; None is no bound."""

    def __init__(self) -> None:
        self.published: list[LogEntry] = []
        self.takes: int | None = None

    async def publish(self, entries: Sequence[LogEntry]) -> int:
        taken = entries[: self.takes]
        self.published += taken
        if self.takes is not None:
            self.takes -= len(taken)
        return len(taken)


class InMemoryWorkerControl:
    def __init__(self) -> None:
        self.told: list[tuple[TenantId, WorkerId, Control]] = []

    async def tell(self, orders: Iterable[tuple[TenantId, WorkerId, Control]]) -> None:
        self.told += orders


class InMemoryAnnounce:
    def __init__(self) -> None:
        self.announced: list[tuple[WorkerSnapshot, datetime]] = []

    async def __call__(self, workers: Sequence[WorkerSnapshot], at: datetime) -> None:
        self.announced += ((worker, at) for worker in workers)


class InMemoryNudge:
    """`count` says how often the leader was nudged; `woken` is for it to wait on and to clear."""

    def __init__(self) -> None:
        self.count = 0
        self.woken = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self.woken.set()


def _lane_of(item: WorkItem) -> Lane:
    return Lane(item.tenant_id, item.job_id)
