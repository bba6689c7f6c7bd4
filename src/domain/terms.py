"""The terms on which something is carried out, be it a job by a worker or a delivery by Rota itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rota.domain.errors import InvalidError
from rota.domain.retry import RetryPolicy

MAX_TIMEOUT = timedelta(days=366)
PRIORITIES = range(-100, 101)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A bucket of `count` starts that refills evenly over `per`."""

    count: int
    per: timedelta

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 1_000_000:
            raise InvalidError("must be from 1 to 1,000,000", "count")
        if not timedelta(milliseconds=1) <= self.per <= MAX_TIMEOUT:
            raise InvalidError("must be from 0.001 to 31,622,400", "perSec")

    def allows(self, spent_until: datetime | None, now: datetime) -> int:
        """How many may start now. `spent_until` is when the bucket will be full again; None is full."""
        used = max((spent_until or now) - now, timedelta(0))
        return int((self.per - used) * self.count / self.per + 1e-9)

    def spend(self, spent_until: datetime | None, starts: int, now: datetime) -> datetime:
        """The new `spent_until`."""
        return max(spent_until or now, now) + self.per * starts / self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How often, how long, how many at once.

    `timeout` is per attempt; `deadline` is for the whole run and `start_by` for its first start, both from `due_at`;
    `heartbeat_timeout` is the longest silence between two words of progress. `priority` is what a run has that
    brings none of its own. `max_concurrent` counts the runs on the bus or running.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: timedelta = timedelta(seconds=300)
    start_by: timedelta | None = None
    deadline: timedelta | None = None
    heartbeat_timeout: timedelta | None = None
    max_concurrent: int | None = None
    rate_limit: RateLimit | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        limits = {
            "timeoutSec": self.timeout,
            "startBySec": self.start_by,
            "deadlineSec": self.deadline,
            "heartbeatTimeoutSec": self.heartbeat_timeout,
        }
        for name, length in limits.items():
            if length is not None and not timedelta(0) < length <= MAX_TIMEOUT:
                raise InvalidError("must be more than 0 and at most 366 days", name)
        if self.max_concurrent is not None and not 1 <= self.max_concurrent <= 1_000_000:
            raise InvalidError("must be from 1 to 1,000,000", "maxConcurrent")
        check_priority(self.priority)

    @property
    def is_limited(self) -> bool:
        """Whether each start must be counted, so that only the leader may decide it."""
        return self.max_concurrent is not None or self.rate_limit is not None


def check_priority(priority: int) -> None:
    """Raises InvalidError."""
    if priority not in PRIORITIES:
        raise InvalidError(f"must be from {PRIORITIES[0]} to {PRIORITIES[-1]}", "priority")
