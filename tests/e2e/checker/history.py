"""What the checker knows of a test run: only what database, streams and journals say.

Nothing of Rota's own code is used here or next to it: a fault in the domain must not hide itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

Key: TypeAlias = tuple[str, UUID]
"""A tenant and an id in it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant that does not hold, of what, and how that shows."""

    invariant: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.text}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something done to the system. `ended` is when the cause was gone, not when its effects were.

    One `at_edge` is done to workers, clients or messages alone: no due time and no event may be late because of it.
    One that `deposes` took the leader out of the running at `began`.
    """

    kind: str
    target: str
    began: datetime
    ended: datetime
    at_edge: bool = False
    deposes: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """`tx` is the transaction that wrote it; `committed` is known only where Postgres tracks commit times."""

    position: int
    tenant: str
    id: UUID
    type: str
    subject: UUID
    seq: int
    at: datetime
    data: Mapping[str, Any]  # Any: JSON
    tx: int
    committed: datetime | None

    @property
    def key(self) -> Key:
        return self.tenant, self.subject

    @property
    def attempt(self) -> int:
        return int(self.data["attempt"])

    @property
    def worker(self) -> UUID | None:
        text = self.data.get("workerId")
        return UUID(text) if text else None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that ended without success."""

    number: int
    outcome: str
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    tenant: str
    id: UUID
    schedule: UUID | None
    job: UUID | None
    cause: str
    state: str
    scheduled_for: datetime
    due_at: datetime
    created_at: datetime
    fired_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    wake_at: datetime | None
    attempt: int
    attempts: Sequence[Attempt]
    worker: UUID | None
    fired_epoch: int | None
    seq: int
    kind: str = "JOB"
    """What it is delivered to; JOB is a worker."""
    payload: object = None
    has_place: bool = False
    """It waits for its turn or at a gate, not for a time."""

    @property
    def key(self) -> Key:
        return self.tenant, self.id

    @property
    def is_of_a_due_time(self) -> bool:
        return self.cause in ("SCHEDULE", "BACKFILL")

    @property
    def is_final(self) -> bool:
        return self.state in ("SUCCEEDED", "DEAD", "CANCELLED", "SKIPPED")

    @property
    def lateness(self) -> timedelta:
        return self.fired_at - self.due_at if self.fired_at else timedelta(0)


@dataclass(frozen=True, slots=True)
class Miss:
    tenant: str
    schedule: UUID
    first: datetime
    last: datetime
    count: int
    rule: str

    def spans(self, due: datetime) -> bool:
        return self.first <= due <= self.last


@dataclass(frozen=True, slots=True)
class Backoff:
    """The contract's `retry.backoff`, in its words."""

    kind: str
    initial: timedelta
    factor: float
    longest: timedelta
    jitter: float

    def between(self, failures: int) -> tuple[timedelta, timedelta]:
        """The shortest and the longest wait after that many failures."""
        growth = {"FIXED": 1.0, "LINEAR": float(failures), "EXPONENTIAL": self.factor ** (failures - 1)}[self.kind]
        nominal = min(self.initial * growth, self.longest)
        return nominal * (1 - self.jitter), nominal * (1 + self.jitter)


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket of `count` starts that refills evenly over `per`."""

    count: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Job:
    """As the last event of it tells. `concurrency_key` is a JSON Pointer."""

    name: str
    max_attempts: int
    backoff: Backoff
    max_concurrent: int | None = None
    concurrency_key: str | None = None
    rate: Rate | None = None

    @property
    def is_limited(self) -> bool:
        """How many of its runs go at once, or how often."""
        return any(limit is not None for limit in (self.max_concurrent, self.concurrency_key, self.rate))


@dataclass(frozen=True, slots=True)
class Worker:
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    version: int
    enabled: bool
    seq: int


@dataclass(frozen=True, slots=True)
class StoredRevision:
    at: datetime
    enabled: bool


@dataclass(frozen=True, slots=True)
class Term:
    """One holder's time with a lease."""

    epoch: int
    holder: str
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """A report that changed nothing."""

    tenant: str
    at: datetime
    reason: str
    kind: str | None
    run: UUID | None
    attempt: int | None
    worker: UUID | None
    body: str | None


@dataclass(frozen=True, slots=True)
class DueTimeIndex:
    """An index on the runs as the catalog tells it."""

    name: str
    is_unique: bool
    is_valid: bool
    is_immediate: bool
    columns: tuple[str, ...]
    predicate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The database, at one moment."""

    read_at: datetime
    events: Sequence[Event]
    runs: Mapping[Key, Run]
    misses: Sequence[Miss]
    open_catch_ups: Sequence[Miss]
    schedules: Mapping[Key, StoredSchedule]
    revisions: Mapping[Key, Mapping[int, StoredRevision]]
    jobs: Mapping[Key, Job]
    workers: Mapping[Key, Worker]
    terms: Mapping[str, Sequence[Term]]
    rejected: Sequence[Rejected]
    indexes: Sequence[DueTimeIndex]


@dataclass(frozen=True, slots=True)
class Message:
    """`at` is when the bus stored it, where that was asked for."""

    seq: int
    subject: str
    id: str | None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """A consumer of a stream: what it has not yet been given, and what it has not yet acknowledged."""

    name: str
    pending: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class Stream:
    """`messages` are those still kept, from `first_seq` on."""

    created: datetime
    first_seq: int
    messages: Sequence[Message]
    readers: Sequence[Reader]


@dataclass(frozen=True, slots=True)
class Execution:
    """One handler call of one worker process, from the journal it wrote itself."""

    run: UUID
    attempt: int
    worker: str
    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as a reader saw it that follows the log by its positions."""

    position: int
    id: UUID


@dataclass(frozen=True, slots=True)
class CursorSample:
    """How far the relay's cursor had come at that moment of the database."""

    at: datetime
    position: int


@dataclass(frozen=True, slots=True)
class Request:
    """What a receiver of webhooks was sent, from its own journal: the `webhook-id`, and whether the signature held."""

    id: str
    receiver: str
    is_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What was seen from outside while the faults lasted.

    `seen` is what a reader of the log saw, in its order; `started` when a worker was first heard to report the start
    of an attempt; `malformed` how many rejected reports each unreadable message, known by its mark, must have left;
    `cancelled` are the runs whose cancellation was accepted, `requests` what came by HTTP.
    """

    seen: Sequence[Seen] = ()
    cursor: Sequence[CursorSample] = ()
    started: Mapping[tuple[UUID, int], datetime] = field(default_factory=dict)
    malformed: Mapping[str, int] = field(default_factory=dict)
    cancelled: Sequence[Key] = ()
    requests: Sequence[Request] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What the run was meant to be, as far as a verdict needs it.

    A due time later than `until` need not have been acted on yet. `late` is the longest lateness without a fault,
    `recovery` how long after a fault it may still show; `relayed` is how old an event may be when the bus has it, and
    `taken` how long a report may wait. `elected` is off where all servers tick.
    """

    until: datetime
    late: timedelta = timedelta(seconds=2)
    relayed: timedelta = timedelta(seconds=5)
    taken: timedelta = timedelta(seconds=3)
    recovery: timedelta = timedelta(seconds=10)
    elected: bool = True
    lease: str = "leader"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All there is to judge. `streams` is None where the bus is not judged, `witness` where nobody watched.

    `accepted` are the schedules and runs that the API said yes to.
    """

    stored: Stored
    streams: Mapping[str, Stream | None] | None
    executions: Sequence[Execution]
    faults: Sequence[Fault]
    expected: Expectations
    accepted: Sequence[Key] = field(default=())
    witness: Witness | None = None
