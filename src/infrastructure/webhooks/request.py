"""What is sent: one attempt of one run as an HTTP request, signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from multidict import CIMultiDict

from rota.application.json import dump
from rota.application.ports.deliveries import Parcel
from rota.domain.delivery import HttpReceiver
from rota.infrastructure.webhooks.signature import Signer

AGENT: Final = "rota"
FIRE: Final = "scheduler.fire"
JSON: Final = "application/json"
BARE_METHODS: Final = frozenset({"DELETE", "GET", "HEAD"})
"""They have a body only if the receiver was given one."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: CIMultiDict[str]
    body: bytes | None


def request_for(parcel: Parcel, receiver: HttpReceiver, signer: Signer, now: datetime) -> Request:
    """The id is the run's, so that a receiver knows a second delivery; the timestamp is the attempt's.

    Headers of the receiver go before our own, but for those of Standard Webhooks, which the domain keeps for us.
    Raises UnicodeEncodeError for a body that is no text.
    """
    text = _body(parcel, receiver)
    body = None if text is None else text.encode()
    message_id = str(parcel.run_id)
    headers = CIMultiDict(receiver.headers)
    for name, value in _defaults(parcel, has_body=body is not None):
        headers.setdefault(name, value)
    headers["webhook-id"] = message_id
    headers["webhook-timestamp"] = str(int(now.timestamp()))
    if signature := signer.sign(message_id, now, text or ""):
        headers["webhook-signature"] = signature
    return Request(receiver.method, receiver.url, headers, body)


def _defaults(parcel: Parcel, *, has_body: bool) -> list[tuple[str, str]]:
    found = [("User-Agent", AGENT), ("Accept-Encoding", "identity")]
    if has_body:
        found.append(("Content-Type", JSON))
    if parcel.traceparent is not None:
        found.append(("traceparent", parcel.traceparent))
    return found


def _body(parcel: Parcel, receiver: HttpReceiver) -> str | None:
    if receiver.body is not None:
        return receiver.body
    if receiver.method in BARE_METHODS:
        return None
    return parcel.payload if parcel.payload is not None else _description(parcel)


def _description(parcel: Parcel) -> str:
    """In the shape that Standard Webhooks recommends; its timestamp is that of the fire, not of the attempt."""
    return dump(
        {
            "type": FIRE,
            "timestamp": parcel.due_at,
            "data": {
                "runId": parcel.run_id,
                "scheduleId": parcel.schedule_id,
                "scheduledFor": parcel.scheduled_for,
                "dueAt": parcel.due_at,
                "attempt": parcel.attempt,
            },
        }
    )
