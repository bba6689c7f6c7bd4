"""Deliveries as a test needs them: name what matters, the rest is ordinary."""

from __future__ import annotations

from datetime import timedelta

from tests.support.builders import ACME, NOON, next_id

from rota.application.ports.deliveries import Parcel
from rota.domain.delivery import HttpReceiver
from rota.domain.ids import RunId, ScheduleId, TenantId
from rota.domain.payload import Json

URL = "https://hooks.example/fires"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def a_parcel(
    receiver: HttpReceiver | None = None,
    *,
    tenant_id: TenantId = ACME,
    run_id: RunId | None = None,
    attempt: int = 1,
    schedule_id: ScheduleId | None = None,
    payload: Json | None = None,
    timeout: timedelta = timedelta(seconds=30),
    traceparent: str | None = None,
) -> Parcel:
    return Parcel(
        tenant_id=tenant_id,
        run_id=run_id or RunId(next_id()),
        attempt=attempt,
        schedule_id=schedule_id,
        receiver=receiver or HttpReceiver(url=URL),
        payload=payload,
        scheduled_for=NOON,
        due_at=NOON + timedelta(seconds=2),
        timeout=timeout,
        correlation_id=None,
        traceparent=traceparent,
    )
