"""Report messages as the intake takes them: readable ones become reports, the rest is kept with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from rota.application.ports.bus import ReportMessage
from rota.application.ports.store import Rejected
from rota.application.take_reports import Report, ReportKind, TakeReports
from rota.domain.attempt import Progress, RunError
from rota.domain.errors import InvalidError
from rota.domain.ids import RunId, TenantId, WorkerId
from rota.domain.payload import Json

RESULT_LIMIT = 256 * 1024
TEXT_LIMIT = 4_000
STACK_LIMIT = 16_000
KEPT_BODY = 2_000
MOST_RETRY_AFTER = 366 * 86_400.0

_KINDS = {kind.value: kind for kind in ReportKind}


def to_take_reports(messages: Sequence[ReportMessage]) -> TakeReports:
    reports: list[Report] = []
    unreadable: list[Rejected] = []
    for message in messages:
        tenant = _tenant_of(message.subject)
        for said in _said(message, tenant, unreadable):
            try:
                reports.append(_report(tenant, message.place, said))
            except (AttributeError, KeyError, TypeError, ValueError, InvalidError) as error:
                reason = f"unreadable: {type(error).__name__}: {error}"
                unreadable.append(_kept(tenant, reason, repr(said).encode(errors="replace")))
    return TakeReports(reports, unreadable)


def kept_back(message: ReportMessage, reason: str) -> Rejected:
    """A whole message, for the table of what was not taken."""
    return _kept(_tenant_of(message.subject), f"cannot be stored: {reason}", message.body)


def _tenant_of(subject: str) -> TenantId:
    return TenantId(subject.rpartition(".")[2])


def _said(message: ReportMessage, tenant: TenantId, unreadable: list[Rejected]) -> list[Any]:  # Any: JSON
    try:
        said = orjson.loads(message.body)
    except ValueError as error:
        unreadable.append(_kept(tenant, f"not JSON: {error}", message.body))
        return []
    if not isinstance(said, list):
        unreadable.append(_kept(tenant, "not a list", message.body))
        return []
    return said


def _kept(tenant: TenantId, reason: str, body: bytes) -> Rejected:
    text = body[:KEPT_BODY].decode(errors="replace").replace("\x00", "\ufffd")
    return Rejected(tenant_id=tenant, reason=reason[:TEXT_LIMIT], body=text)


def _report(tenant: TenantId, place: int, said: dict[str, Any]) -> Report:  # Any: JSON
    kind = _KINDS[said["kind"]]
    error = said.get("error")
    progress = said.get("progress")
    return Report(
        tenant_id=tenant,
        run_id=RunId(UUID(said["runId"])),
        attempt=_attempt(said["attempt"]),
        worker_id=WorkerId(UUID(said["workerId"])),
        kind=kind,
        place=place,
        result=_result(said.get("result")) if kind is ReportKind.SUCCEEDED else None,
        error=_error(error) if error else None,
        retryable=bool(error.get("retryable", True)) if error else True,
        retry_after=_retry_after(error.get("retryAfterSec")) if error else None,
        progress=_progress(progress) if progress is not None else None,
        cancelling=kind is ReportKind.PROGRESS and said.get("cancelling") is True,
    )


def _attempt(value: object) -> int:
    if not isinstance(value, int) or not 0 < value < 2**31:
        raise ValueError(f"attempt {value!r}")
    return value


def _result(value: object) -> Json | None:
    if value is None:
        return None
    text = orjson.dumps(value)
    if len(text) > RESULT_LIMIT:
        raise ValueError("a result has at most 256 KiB")
    return Json(text.decode())


def _error(said: dict[str, Any]) -> RunError:  # Any: JSON
    stack = said.get("stack")
    return RunError(
        _text(said.get("type") or "Error", 200),
        _text(said.get("message") or "", TEXT_LIMIT),
        None if stack is None else _text(stack, STACK_LIMIT),
    )


def _text(value: object, limit: int) -> str:
    return str(value)[:limit].replace("\x00", "\ufffd")


def _retry_after(value: object) -> timedelta | None:
    if value is None:
        return None
    return timedelta(seconds=min(max(float(value), 0.0), MOST_RETRY_AFTER))  # type: ignore[arg-type]  # caught above


def _progress(said: object) -> Progress:
    if isinstance(said, dict):
        return Progress(_share(said.get("fraction")), _text(said.get("note") or "", 1_000))
    return Progress(_share(said))


def _share(value: object) -> float:
    return min(max(float(value), 0.0), 1.0)  # type: ignore[arg-type]  # caught above
