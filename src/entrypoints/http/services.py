"""What the HTTP API is given to work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rota.application.command import MessageBus
from rota.application.follow_events import Followers
from rota.application.ports.backfills import BackfillReads
from rota.application.ports.calendar_files import CalendarFiles
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock
from rota.application.ports.dead_letters import DeadLetters
from rota.application.ports.evidence import Evidence
from rota.application.ports.keyed_calls import KeyedCalls
from rota.application.ports.log import History
from rota.application.ports.payloads import PayloadRules
from rota.application.ports.reads import Reads
from rota.application.ports.rejections import Rejections
from rota.application.ports.run_counts import RunCounts
from rota.application.ports.tokens import Tokens
from rota.entrypoints.metrics.exposition import Metrics


class HealthStatus(StrEnum):
    UP = "UP"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the whole; `detail` is plain values."""

    status: HealthStatus
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    status: HealthStatus
    checks: Mapping[str, Check]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAccess:
    """How workers reach the bus. `nats_url` is the address that they are told."""

    nats_url: str
    user: str
    password: str
    heartbeat_sec: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServices:
    """`is_ready` says whether this process can answer calls; it may be asked often and should not wait long."""

    bus: MessageBus
    reads: Reads
    evidence: Evidence
    history: History
    dead_letters: DeadLetters
    backfills: BackfillReads
    run_counts: RunCounts
    rejections: Rejections
    keyed_calls: KeyedCalls
    clock: Clock
    tokens: Tokens
    payload_rules: PayloadRules
    calendar_files: CalendarFiles
    followers: Followers
    metrics: Metrics
    health: Callable[[], Awaitable[Health]]
    is_ready: Callable[[], Awaitable[bool]]
    worker_access: WorkerAccess
    default_tz: str = "UTC"
    asyncapi: Mapping[str, object] = field(default_factory=dict)
    at: Checkpoint = pass_by
