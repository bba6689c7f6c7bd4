"""How often a run is tried, and how long it waits in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from rota.domain.errors import InvalidError
from rota.domain.ids import printable_name

LONGEST_WAIT = timedelta(days=366)


class BackoffKind(StrEnum):
    FIXED = "FIXED"
    LINEAR = "LINEAR"
    EXPONENTIAL = "EXPONENTIAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The wait before the next attempt; never longer than `longest` plus its jitter."""

    kind: BackoffKind = BackoffKind.EXPONENTIAL
    initial: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    longest: timedelta = timedelta(seconds=3600)
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.initial <= LONGEST_WAIT:
            raise InvalidError("must be from 0 to 366 days", "initialSec")
        if not timedelta(0) <= self.longest <= LONGEST_WAIT:
            raise InvalidError("must be from 0 to 366 days", "maxSec")
        if not 1 <= self.factor <= 100:
            raise InvalidError("must be from 1 to 100", "factor")
        if not 0 <= self.jitter <= 1:
            raise InvalidError("must be from 0 to 1", "jitter")

    def wait(self, failures: int, spread: float) -> timedelta:
        """The wait after the n-th failure (1, 2, 3 …); `spread` in [-1, 1] places it inside the jitter."""
        seconds = min(self._nominal(failures), self.longest.total_seconds())
        return timedelta(seconds=seconds * (1 + self.jitter * spread))

    def _nominal(self, failures: int) -> float:
        initial = self.initial.total_seconds()
        if self.kind is BackoffKind.FIXED or not initial:
            return initial
        if self.kind is BackoffKind.LINEAR:
            return initial * failures
        try:
            return float(initial * self.factor ** (failures - 1))
        except OverflowError:
            return self.longest.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """`max_attempts` counts the first one; released attempts do not count. `not_on` names types of errors."""

    max_attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    not_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.max_attempts <= 1000:
            raise InvalidError("must be from 1 to 1000", "maxAttempts")
        for error_type in self.not_on:
            printable_name(error_type, "notOn")

    def allows_another_after(self, counted_attempts: int) -> bool:
        return counted_attempts < self.max_attempts


def spread_of(run_id: UUID, attempt: int) -> float:
    """A fixed place in [-1, 1] for one attempt: jitter without chance, so a replay waits as long."""
    mixed = (run_id.int ^ (attempt * 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return (mixed >> 11) / (1 << 52) - 1
