"""What comes back, and what it means.

    2xx, or a status that was expected    delivered
    3xx                                   HttpRedirect, not tried again: redirects are not followed
    410                                   HttpStatus, not tried again: the receiver wants no more
    any other                             HttpStatus, tried again, after `Retry-After` if it says so

Standard Webhooks 1.0 holds every status but 410 worth another try: a receiver that is being set up answers 404, and
one whose keys are being changed 401.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import orjson

from rota.application.ports.deliveries import Delivered, Outcome, Undelivered
from rota.domain.attempt import RunError
from rota.domain.delivery import HttpReceiver
from rota.domain.payload import Json
from rota.domain.retry import LONGEST_WAIT

KEPT_BYTES: Final = 4_096
GONE: Final = 410

_LONGEST_SECONDS: Final = int(LONGEST_WAIT.total_seconds())
_DIGITS: Final = 12


class Fault(StrEnum):
    """The types of the errors of HTTP deliveries; `retry.notOn` may name them."""

    STATUS = "HttpStatus"
    REDIRECT = "HttpRedirect"
    TIMEOUT = "HttpTimeout"
    CONNECTION = "HttpConnection"
    TLS = "HttpTls"
    FORBIDDEN_ADDRESS = "HttpForbiddenAddress"
    INVALID_REQUEST = "HttpInvalidRequest"
    CIRCUIT_OPEN = "HttpCircuitOpen"
    UNFORESEEN = "HttpUnforeseen"

    @property
    def is_retryable(self) -> bool:
        return self not in (Fault.REDIRECT, Fault.FORBIDDEN_ADDRESS, Fault.INVALID_REQUEST)


class FaultError(Exception):
    """There was no answer."""

    def __init__(self, fault: Fault, message: str) -> None:
        self.fault = fault
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the first `KEPT_BYTES` of it, or fewer; `retry_after` the header as it came."""

    status: int
    body: bytes = b""
    retry_after: str | None = None

    def kept(self) -> Json:
        """As JSON that Postgres takes: text, and no NUL in it."""
        text = self.body.decode(errors="replace").replace("\0", "\ufffd")
        return Json(orjson.dumps({"status": self.status, "body": text}).decode())


def judge(answer: Answer, receiver: HttpReceiver, now: datetime) -> Outcome:
    if _is_success(answer.status, receiver):
        return Delivered(answer.kept())
    said = f"the receiver answered {answer.status}"
    if 300 <= answer.status < 400:
        error = RunError(Fault.REDIRECT.value, f"{said}; redirects are not followed")
        return Undelivered(error=error, retryable=Fault.REDIRECT.is_retryable, answer=answer.kept())
    is_gone = answer.status == GONE
    return Undelivered(
        error=RunError(Fault.STATUS.value, said),
        retryable=not is_gone,
        retry_after=None if is_gone else retry_after(answer.retry_after, now),
        answer=answer.kept(),
        is_gone=is_gone,
    )


def undelivered(fault: Fault, message: str, *, retry_after: timedelta | None = None) -> Undelivered:
    return Undelivered(
        error=RunError(fault.value, message),
        was_tried=fault is not Fault.CIRCUIT_OPEN,
        retryable=fault.is_retryable,
        retry_after=retry_after,
    )


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date, from 0 to 366 days; None for what is neither (RFC 9110, 10.2.3)."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        seconds = int(text) if len(text) <= _DIGITS else _LONGEST_SECONDS
        return timedelta(seconds=min(seconds, _LONGEST_SECONDS))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


def _is_success(status: int, receiver: HttpReceiver) -> bool:
    return status in receiver.expect_status if receiver.expect_status else 200 <= status < 300
