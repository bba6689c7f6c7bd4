"""What handlers raise to say how it ended, and what the client raises.

Exception
├── Retry                        try again, after a time of the handler's choosing
├── Abort                        do not try again
├── RunFailedError               a run that was waited for has ended, but not in success
└── RotaError                    the server refused a call, or was not there to answer it
    ├── InvalidError             400, 413, 422: what was sent; `fields` says where
    ├── UnauthenticatedError     401: no token, or one that nobody believes
    ├── ForbiddenError           403: a token without the scope, or of another tenant
    ├── NotFoundError            404
    ├── ConflictError            409: a name that is taken, or a state that forbids it
    │   └── StaleVersionError    412: `if_match` is not the version that it has
    └── UnavailableError         429, 502, 503, 504: not now, and not while the client was patient either
        └── UnreachableError     nobody answered; `status` is 0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from rota.entrypoints.sdk import wire

if TYPE_CHECKING:
    from rota.entrypoints.sdk.models import Run

CODE_PREFIX: Final = "urn:rota:error:"


class Retry(Exception):
    """Ends the attempt as a failure to be tried again, `after` seconds from now; without `after`, the job's backoff."""

    def __init__(self, after: float | timedelta | None = None, message: str = "") -> None:
        super().__init__(message or "the handler asked for a retry")
        self.after = None if after is None else max(0.0, wire.seconds(after))


class Abort(Exception):
    """Ends the run: no further attempt, whatever the job's `maxAttempts`."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "the handler gave up")


class RunFailedError(Exception):
    """The `run` ended DEAD, CANCELLED or SKIPPED."""

    def __init__(self, run: Run) -> None:
        self.run = run
        why = run.reason or (f"{run.error.type}: {run.error.message}" if run.error else "")
        super().__init__(f"run {run.id} is {run.state}" + (f": {why}" if why else ""))


class RotaError(Exception):
    """The server's problem document (RFC 9457).

    `code` is stable (`not-found`, the end of the document's `type`); `errors` are the fields that were refused, as
    `{field, message}`; `retry_after` is after how many seconds the server wants to be asked again, if it said so.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        self.status = status
        self.type: str = str(problem.get("type", "about:blank"))
        self.title: str = str(problem.get("title", ""))
        self.detail: str = str(problem.get("detail", ""))
        self.errors: Sequence[Mapping[str, str]] = problem.get("errors") or []
        self.retry_after = retry_after
        super().__init__(self._sentence())

    @property
    def code(self) -> str:
        return self.type.removeprefix(CODE_PREFIX)

    @property
    def fields(self) -> Mapping[str, str]:
        """What is wrong with which field: `{"trigger.cron": "needs five fields"}`."""
        said: dict[str, str] = {}
        for error in self.errors:
            field, message = error.get("field", ""), error.get("message", "")
            said[field] = f"{said[field]}; {message}" if field in said else message
        return said

    def _sentence(self) -> str:
        fields = "; ".join(f"{error.get('field')}: {error.get('message')}" for error in self.errors)
        parts = [str(self.status), self.title, self.detail, fields if fields not in self.detail else ""]
        return " - ".join(part for part in parts if part)


class InvalidError(RotaError):
    """What was sent cannot be taken."""


class UnauthenticatedError(RotaError):
    """The server does not know who asks."""


class ForbiddenError(RotaError):
    """The token does not allow it."""


class NotFoundError(RotaError):
    """There is none, or it is another tenant's."""


class ConflictError(RotaError):
    """A name that is taken, or a state that forbids it."""


class StaleVersionError(ConflictError):
    """It has changed since: read it again, and decide again."""


class UnavailableError(RotaError):
    """Not now."""


class UnreachableError(UnavailableError):
    """Nobody answered: whether the call has had an effect is known only where nothing could be sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(0, {"type": f"{CODE_PREFIX}unreachable", "title": "Unreachable", "detail": detail})

    def _sentence(self) -> str:
        return self.detail


_KINDS: Final[Mapping[int, type[RotaError]]] = {
    400: InvalidError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: StaleVersionError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def refusal(status: int, problem: Mapping[str, Any], *, retry_after: float | None = None) -> RotaError:
    """The error that stands for an answer of that status."""
    return _KINDS.get(status, RotaError)(status, problem, retry_after=retry_after)
