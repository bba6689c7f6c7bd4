"""Parcels as a test needs them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from rota.application.ports.deliveries import Carrier, Outcome, Parcel, Undelivered
from rota.domain.delivery import QueueReceiver, Receiver
from rota.domain.ids import RunId, ScheduleId, TenantId
from rota.domain.payload import Json
from rota.infrastructure.memory.clock import CountingIds

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SCHEDULE = ScheduleId(UUID("01900000-0000-7000-8000-0000000000aa"))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

_next_id = CountingIds()


def a_parcel(
    receiver: Receiver | None = None,
    *,
    run_id: RunId | None = None,
    tenant: str = "acme",
    payload: str | None = None,
    schedule_id: ScheduleId | None = None,
    attempt: int = 1,
    due_at: datetime = NOON,
    timeout: float = 30,
    correlation_id: str | None = None,
    traceparent: str | None = None,
) -> Parcel:
    """Each is of a run of its own; `timeout` is in seconds."""
    return Parcel(
        tenant_id=TenantId(tenant),
        run_id=run_id or RunId(_next_id()),
        attempt=attempt,
        schedule_id=schedule_id,
        receiver=receiver or QueueReceiver("mails", "there"),
        payload=None if payload is None else Json(payload),
        scheduled_for=NOON,
        due_at=due_at,
        timeout=timedelta(seconds=timeout),
        correlation_id=correlation_id,
        traceparent=traceparent,
    )


async def carried(carrier: Carrier, parcels: Sequence[Parcel]) -> dict[RunId, Outcome]:
    """The outcome of each, and each told once."""
    outcomes: dict[RunId, Outcome] = {}
    await carrier.carry(parcels, keep_in(outcomes))
    return outcomes


def keep_in(outcomes: dict[RunId, Outcome]) -> Callable[[Parcel, Outcome], None]:
    def done(parcel: Parcel, outcome: Outcome) -> None:
        assert parcel.run_id not in outcomes, "told twice"
        outcomes[parcel.run_id] = outcome

    return done


def kind_of(outcome: Outcome) -> str | None:
    return outcome.error.type if isinstance(outcome, Undelivered) else None


def kinds_of(outcomes: Iterable[Outcome]) -> set[str | None]:
    return {kind_of(outcome) for outcome in outcomes}


def is_retryable(outcome: Outcome) -> bool:
    return isinstance(outcome, Undelivered) and outcome.retryable
