"""Reports on their way to the bus.

    waiting    written, not yet sent: collected for a few milliseconds
    out        sent as one message, not yet acknowledged; sent again, with the same id, until it is
    stored     acknowledged: the bus has it, and the attempts concerned go on

Several batches may be out at once. A run's STARTED is stored before it is carried out, so its final report can never
overtake it, whatever is sent again.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from uuid import uuid4

import structlog
from nats.aio.msg import Msg

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.backoff import Backoff
from rota.entrypoints.sdk.bus import Bus
from rota.entrypoints.sdk.outcome import Kind
from rota.entrypoints.sdk.place import ReportPlace
from rota.entrypoints.sdk.work import Attempt

log = structlog.get_logger("rota.worker")

LINGER = 0.003
"""Seconds a report that nothing waits for is held back for company."""
STORE_WAIT = 2.0
"""Seconds until a batch without an acknowledgement is sent again. It may be stored all the same: hence the same id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One report and whose it is."""

    attempt: Attempt
    kind: Kind
    body: bytes


@dataclass(slots=True, eq=False)
class Batch:
    """One message of reports."""

    number: int
    entries: list[Entry]
    id: str = field(default_factory=lambda: str(uuid4()))
    again_at: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(0.1, 2.0))

    has_starts: bool = field(init=False)

    def __post_init__(self) -> None:
        self.has_starts = any(entry.kind == "STARTED" for entry in self.entries)

    def body(self) -> bytes:
        return b"[" + b",".join([entry.body for entry in self.entries]) + b"]"


class Reports:
    """The reports of one registration."""

    def __init__(self, bus: Bus, subject: str, stored: Callable[[list[Entry]], None], wake: Callable[[], None]) -> None:
        self.place = ReportPlace()
        self._bus = bus
        self._subject = subject
        self._stored = stored
        self._wake = wake
        self._waiting: list[Entry] = []
        self._out: dict[int, Batch] = {}
        self._last_number = 0
        self._is_due = False
        self._alarm: asyncio.TimerHandle | None = None
        self._acks = f"{bus.inbox}.stored"

    async def open(self) -> None:
        await self._bus.listen(f"{self._acks}.*", self._answered)

    def start(self, entries: Iterable[Entry]) -> None:
        """Adds STARTED reports, which do not wait; what is waiting goes with them."""
        self._waiting.extend(entries)
        self._is_due = True

    def add(self, entry: Entry) -> None:
        """Adds a report that is sent within LINGER."""
        self._waiting.append(entry)
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(LINGER, self._ring)

    @property
    def starts_out(self) -> int:
        """Batches with STARTED reports that are not stored yet."""
        return sum(batch.has_starts for batch in self._out.values())

    async def flush(self) -> None:
        """Sends what is due."""
        if not self._is_due:
            return
        self._is_due = False
        waiting, self._waiting = self._waiting, []
        for entries in split(waiting, self._bus.batch_limit):
            self._last_number += 1
            batch = Batch(self._last_number, entries)
            self._out[batch.number] = batch
            await self._send(batch)

    async def send_again(self, now: float) -> None:
        """Repeats, in order, the batches whose acknowledgement is overdue."""
        for batch in list(self._out.values()):
            if now >= batch.again_at:
                await self._send(batch)

    def reconnected(self) -> None:
        """What was under way may be lost, and the stream may be another."""
        self.place.doubt()
        for batch in self._out.values():
            batch.again_at = 0.0

    def drop(self) -> None:
        """Nothing more is reported: the registration is over."""
        self._waiting.clear()
        self._out.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    async def _send(self, batch: Batch) -> None:
        batch.again_at = monotonic() + STORE_WAIT
        self.place.sent(batch.number)
        headers = {"Nats-Msg-Id": batch.id}
        await self._bus.send(self._subject, batch.body(), f"{self._acks}.{batch.number}", headers)

    async def _answered(self, message: Msg) -> None:
        batch = self._out.get(int(message.subject.rpartition(".")[2]))
        if batch is None:
            return
        ack = _read_ack(message)
        if ack is None:
            batch.again_at = monotonic() + batch.backoff.next()
            log.warning("report_refused", answer=message.data[:200], status=message.headers)
            return
        del self._out[batch.number]
        self.place.stored(batch.number, ack["seq"], is_duplicate=bool(ack.get("duplicate")))
        self._stored(batch.entries)
        self._wake()

    def _ring(self) -> None:
        self._alarm = None
        self._is_due = True
        self._wake()


def split(entries: list[Entry], limit: int) -> Iterable[list[Entry]]:
    """Entries in order, in groups whose message stays within `limit` bytes."""
    group: list[Entry] = []
    size = 2
    for entry in entries:
        length = len(entry.body) + 1
        if group and size + length > limit:
            yield group
            group, size = [], 2
        group.append(entry)
        size += length
    if group:
        yield group


def _read_ack(message: Msg) -> dict[str, int] | None:
    """None for anything but an acknowledgement: an error, or nobody there."""
    try:
        ack = wire.decode(message.data)
    except ValueError:
        return None
    return ack if isinstance(ack, dict) and isinstance(ack.get("seq"), int) else None
