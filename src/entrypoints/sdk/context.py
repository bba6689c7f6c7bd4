"""What a handler is told, and what it can say back."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from rota.entrypoints.sdk.work import WorkItem

Tell = Callable[[float, str | None], None]


class JobContext:
    """One attempt of one run, as its handler sees it. Safe to use from the handler's thread."""

    __slots__ = ("_cancelled", "_item", "_log", "_tell")

    def __init__(self, item: WorkItem, tell: Tell) -> None:
        self._item = item
        self._tell = tell
        self._cancelled = False
        self._log: Any = None

    @property
    def run_id(self) -> str:
        return self._item.run_id

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self._item.attempt

    @property
    def job(self) -> str:
        return self._item.job

    @property
    def tenant_id(self) -> str | None:
        return self._item.text("tenantId")

    @property
    def scheduled_for(self) -> datetime | None:
        """The due time that this run stands for, before calendar and jitter moved it."""
        return self._item.instant("scheduledFor")

    @property
    def due_at(self) -> datetime | None:
        return self._item.instant("dueAt")

    @property
    def idempotency_key(self) -> str:
        """The same for all attempts of a run: hand it to whatever must take effect once."""
        return self._item.text("idempotencyKey") or self._item.run_id

    @property
    def correlation_id(self) -> str | None:
        return self._item.text("correlationId")

    @property
    def traceparent(self) -> str | None:
        return self._item.text("traceparent")

    @property
    def cancelled(self) -> bool:
        """Whether the handler should end: cancelled, out of time, taken away, or the worker stops.

        An async handler is interrupted as well; one in a thread cannot be, and should look here.
        """
        return self._cancelled

    @property
    def log(self) -> Any:
        """A structlog logger bound to this run. (structlog types its loggers as Any.)"""
        if self._log is None:
            self._log = structlog.get_logger("rota.job").bind(
                job=self.job, run_id=self.run_id, attempt=self.attempt, correlation_id=self.correlation_id
            )
        return self._log

    def progress(self, fraction: float, note: str | None = None) -> None:
        """Says how far it is, from 0 to 1. Returns at once; of several in quick succession the last is sent."""
        self._tell(min(1.0, max(0.0, float(fraction))), note)

    def ask_to_end(self) -> None:
        """For the worker: from now on `cancelled` is true."""
        self._cancelled = True
