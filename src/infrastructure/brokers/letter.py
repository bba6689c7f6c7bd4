"""What a receiver of kind QUEUE gets, whichever broker it stands at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rota.application.ports.deliveries import Parcel


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message. `to` names the queue, stream or topic at the broker: `<tenant>.<topic>`.

    `id` is the run's and the same for each of its attempts: a receiver that has seen it may drop the second.
    What has one `order` is to stay in order where the broker can see to that: the schedule's id, else the run's.
    """

    to: str
    id: str
    body: bytes
    order: str
    correlation_id: str
    headers: Mapping[str, str]


def letter_of(parcel: Parcel, topic: str) -> Letter:
    """The body is the payload as it is, `null` if there is none; without a correlation id it is the run's id."""
    run_id = str(parcel.run_id)
    return Letter(
        to=f"{parcel.tenant_id}.{topic}",
        id=run_id,
        body=body_of(parcel),
        order=str(parcel.schedule_id or run_id),
        correlation_id=parcel.correlation_id or run_id,
        headers=headers_of(parcel),
    )


def body_of(parcel: Parcel) -> bytes:
    return (parcel.payload or "null").encode()


def headers_of(parcel: Parcel) -> dict[str, str]:
    headers = {
        "Rota-Run-Id": str(parcel.run_id),
        "Rota-Attempt": str(parcel.attempt),
        "Rota-Scheduled-For": _wire_instant(parcel.scheduled_for),
    }
    if parcel.traceparent:
        headers["traceparent"] = parcel.traceparent
    return headers


def _wire_instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
