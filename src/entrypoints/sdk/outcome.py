"""What came of a handler, as the report that says it."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.errors import Abort, Retry
from rota.entrypoints.sdk.work import Stop, WorkItem

Kind = Literal["STARTED", "PROGRESS", "SUCCEEDED", "FAILED", "CANCELLED", "RELEASED"]

MESSAGE_LIMIT = 4_000
STACK_LIMIT = 16_000


class InvalidPayloadError(ValueError):
    """The payload is not what the handler's annotation asks for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last word on an attempt."""

    kind: Kind
    result: bytes | None = None
    """JSON."""
    error: Mapping[str, Any] | None = None


RELEASED = Outcome("RELEASED")
CANCELLED = Outcome("CANCELLED")


def report(item: WorkItem, worker_id: str, kind: Kind, **more: object) -> bytes:
    """One element of a report message."""
    body = {"runId": item.run_id, "attempt": item.attempt, "workerId": worker_id, "kind": kind, "at": datetime.now(UTC)}
    return wire.encode(body | more if more else body)


def final_report(item: WorkItem, worker_id: str, outcome: Outcome) -> bytes:
    more: dict[str, object] = {}
    if outcome.result is not None:
        more["result"] = orjson.Fragment(outcome.result)
    if outcome.error is not None:
        more["error"] = outcome.error
    return report(item, worker_id, outcome.kind, **more)


def returned(value: object) -> Outcome:
    """A handler's return is a success, if its value fits into a result."""
    if value is None:
        return Outcome("SUCCEEDED")
    try:
        result = wire.encode_any(value)
    except (TypeError, ValueError) as error:
        return _refused("ResultNotSerializable", str(error))
    if len(result) > wire.RESULT_LIMIT:
        return _refused("ResultTooLarge", f"the result has {len(result)} bytes, the limit is {wire.RESULT_LIMIT}")
    if _is_too_deep(result):
        return _refused("ResultTooDeep", f"the result is nested deeper than {wire.RESULT_NESTING}")
    return Outcome("SUCCEEDED", result)


def raised(error: BaseException, stop: Stop | None, timeout: float | None) -> Outcome:
    """What an exception means depends on whether the handler had been asked to end."""
    if stop is Stop.CANCEL:
        return CANCELLED
    if stop is Stop.RELEASE:
        return RELEASED
    if stop is Stop.TIMEOUT:
        return timed_out(timeout)
    return failed(error)


def failed(error: BaseException) -> Outcome:
    if isinstance(error, InvalidPayloadError):
        return _refused("InvalidPayload", str(error))
    kind = type(error).__qualname__
    if isinstance(error, Retry) and error.after is not None:
        return _failed(kind, error, retryable=True, retryAfterSec=error.after)
    return _failed(kind, error, retryable=not isinstance(error, Abort))


def timed_out(timeout: float | None) -> Outcome:
    message = f"did not end within {timeout:g} s" if timeout is not None else "was told that its time is over"
    return Outcome("FAILED", error={"type": "Timeout", "message": message, "retryable": True})


def invalid_payload(error: ValidationError) -> InvalidPayloadError:
    """Says which fields are wrong, without repeating their values, which may be secret."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    places = [".".join(["payload", *map(str, fault["loc"])]) for fault in faults]
    return InvalidPayloadError(
        "; ".join(f"{place}: {fault['msg']}" for place, fault in zip(places, faults, strict=True))
    )


def _refused(kind: str, message: str) -> Outcome:
    """The same handler would be refused for the same reason: no retry, and no stack of ours."""
    return Outcome("FAILED", error={"type": kind, "message": wire.clean(message, MESSAGE_LIMIT), "retryable": False})


def _failed(kind: str, error: BaseException, **more: object) -> Outcome:
    message = wire.clean(_text(error), MESSAGE_LIMIT)
    return Outcome("FAILED", error={"type": wire.clean(kind, 200), "message": message, "stack": _stack(error)} | more)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception's own __str__ may do anything; its report must still go out
        return "(unprintable)"


def _stack(error: BaseException) -> str:
    """The end of the traceback, which is where it happened, from the handler's own first frame."""
    try:
        lines = traceback.format_exception(type(error), error, _without_ours(error.__traceback__))
        text = "".join(lines)
    except Exception:  # as above
        return ""
    return wire.clean(text[-STACK_LIMIT:], STACK_LIMIT)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(__package__ or "rota."):
        trace = trace.tb_next
    return trace


def _is_too_deep(encoded: bytes) -> bool:
    """Counts brackets first: only what has enough of them can be nested so deep."""
    if encoded.count(b"[") + encoded.count(b"{") <= wire.RESULT_NESTING:
        return False
    return _depth(wire.decode(encoded)) > wire.RESULT_NESTING


def _depth(value: Any) -> int:
    deepest = 0
    open_values = [(value, 1)]
    while open_values:
        current, depth = open_values.pop()
        if isinstance(current, dict | list):
            deepest = max(deepest, depth)
            inner = current.values() if isinstance(current, dict) else current
            open_values.extend((each, depth + 1) for each in inner)
    return deepest
