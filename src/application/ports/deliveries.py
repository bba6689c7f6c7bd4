"""Who carries out deliveries: one carrier for each kind of receiver, chosen by the run's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from rota.domain.attempt import RunError
from rota.domain.delivery import Receiver
from rota.domain.ids import RunId, ScheduleId, TenantId
from rota.domain.payload import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One attempt of one run that is to be delivered. `timeout` bounds the whole of it."""

    tenant_id: TenantId
    run_id: RunId
    attempt: int
    schedule_id: ScheduleId | None
    receiver: Receiver
    payload: Json | None
    scheduled_for: datetime
    due_at: datetime
    timeout: timedelta
    correlation_id: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it; `answer` is what it said, and becomes the run's result."""

    answer: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """It may have arrived all the same. `answer` is what the receiver said, if anything.

    `is_gone` says that the receiver wants no more of this schedule (HTTP 410). `was_tried` is False where it was not
    even tried, because the receiver is known to be away: that costs the run none of its attempts.
    """

    error: RunError
    was_tried: bool = True
    retryable: bool = True
    retry_after: timedelta | None = None
    answer: Json | None = None
    is_gone: bool = False


Outcome: TypeAlias = Delivered | Undelivered


class Carrier(Protocol):
    async def carry(self, parcels: Sequence[Parcel], done: Callable[[Parcel, Outcome], None]) -> None:
        """Delivers all, and tells the outcome of each as soon as it is known; returns after the last.

        Raises nothing of its own: what goes wrong is an outcome. When it is cancelled, the parcels not yet told of
        are given up where they stand.
        """
        ...
