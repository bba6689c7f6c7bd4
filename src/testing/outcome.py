"""What came of one attempt: what a worker would have told the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from rota.entrypoints.sdk import outcome as sdk
from rota.entrypoints.sdk import wire

Kind: TypeAlias = Literal["SUCCEEDED", "FAILED", "CANCELLED", "RELEASED"]


class Progress(NamedTuple):
    """`value` goes from 0 to 1."""

    value: float
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """`type` is the exception's name, or InvalidPayload, Timeout, ResultTooLarge and the like.

    `retryable` is whether it would be tried again while attempts are left (not after `Abort`, nor for a payload that
    does not fit), `retry_after` after how many seconds, where the handler said so by `Retry`; else the job's backoff.
    """

    type: str
    message: str
    retryable: bool
    retry_after: float | None = None
    stack: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`result` is the handler's, as JSON brings it back; `progress` is all that it told, in order."""

    kind: Kind
    result: Any = None
    error: Failure | None = None
    progress: Sequence[Progress] = ()

    @property
    def has_succeeded(self) -> bool:
        return self.kind == "SUCCEEDED"

    def __str__(self) -> str:
        """With the handler's own traceback, for the sake of `assert outcome.has_succeeded, outcome`."""
        if self.error is None:
            return self.kind
        return f"{self.kind}: {self.error.stack or f'{self.error.type}: {self.error.message}'}"


def outcome_of(reported: sdk.Outcome, progress: Sequence[Progress]) -> Outcome:
    result = None if reported.result is None else wire.decode(reported.result)
    kind = cast(Kind, reported.kind)  # an attempt's last word is none of the other kinds of reports
    return Outcome(kind, result, _failure(reported), tuple(progress))


def _failure(reported: sdk.Outcome) -> Failure | None:
    error = reported.error
    if error is None:
        return None
    return Failure(error["type"], error["message"], error["retryable"], error.get("retryAfterSec"), error.get("stack"))
