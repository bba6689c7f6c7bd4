"""What handlers raise to say how it ended, and what the client raises.

Exception
├── Retry            try again, after a time of the handler's choosing
├── Abort            do not try again
└── RotaError        the server refused a call
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rota.entrypoints.sdk import wire


class Retry(Exception):
    """Ends the attempt as a failure to be tried again, `after` seconds from now; without `after`, the job's backoff."""

    def __init__(self, after: float | timedelta | None = None, message: str = "") -> None:
        super().__init__(message or "the handler asked for a retry")
        self.after = None if after is None else max(0.0, wire.seconds(after))


class Abort(Exception):
    """Ends the run: no further attempt, whatever the job's `maxAttempts`."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "the handler gave up")


class RotaError(Exception):
    """The server's problem document (RFC 9457). `type` is stable; `errors` names the fields that were refused."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.type: str = str(problem.get("type", "about:blank"))
        self.title: str = str(problem.get("title", ""))
        self.detail: str = str(problem.get("detail", ""))
        self.errors: Sequence[Mapping[str, str]] = problem.get("errors") or []
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        fields = "; ".join(f"{error.get('field')}: {error.get('message')}" for error in self.errors)
        parts = [str(self.status), self.title, self.detail, fields if fields not in self.detail else ""]
        return " - ".join(part for part in parts if part)
