"""Rota: a multi-tenant, event-driven scheduler.

What is listed here is the public API, and `rota.testing` beside it. Each name is loaded when it is first used, so that
`import rota` is quick and a program that only runs workers loads no server library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rota.entrypoints.sdk.client import Rota, RotaSync
    from rota.entrypoints.sdk.context import JobContext
    from rota.entrypoints.sdk.definitions import (
        CalendarDefinition,
        JobDefinition,
        RunOrder,
        ScheduleDefinition,
        Target,
        Trigger,
    )
    from rota.entrypoints.sdk.errors import (
        Abort,
        ConflictError,
        ForbiddenError,
        InvalidError,
        NotFoundError,
        Retry,
        RotaError,
        RunFailedError,
        StaleVersionError,
        UnauthenticatedError,
        UnavailableError,
        UnreachableError,
    )
    from rota.entrypoints.sdk.models import Backfill, Calendar, Job, Page, Run, Schedule
    from rota.entrypoints.sdk.worker import Worker

__all__ = [
    "Abort",
    "Backfill",
    "Calendar",
    "CalendarDefinition",
    "ConflictError",
    "ForbiddenError",
    "InvalidError",
    "Job",
    "JobContext",
    "JobDefinition",
    "NotFoundError",
    "Page",
    "Retry",
    "Rota",
    "RotaError",
    "RotaSync",
    "Run",
    "RunFailedError",
    "RunOrder",
    "Schedule",
    "ScheduleDefinition",
    "StaleVersionError",
    "Target",
    "Trigger",
    "UnauthenticatedError",
    "UnavailableError",
    "UnreachableError",
    "Worker",
]

_HOMES = {
    "client": ("Rota", "RotaSync"),
    "context": ("JobContext",),
    "definitions": ("CalendarDefinition", "JobDefinition", "RunOrder", "ScheduleDefinition", "Target", "Trigger"),
    "errors": (
        "Abort",
        "ConflictError",
        "ForbiddenError",
        "InvalidError",
        "NotFoundError",
        "Retry",
        "RotaError",
        "RunFailedError",
        "StaleVersionError",
        "UnauthenticatedError",
        "UnavailableError",
        "UnreachableError",
    ),
    "models": ("Backfill", "Calendar", "Job", "Page", "Run", "Schedule"),
    "worker": ("Worker",),
}


def __getattr__(name: str) -> object:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'rota' has no attribute {name!r}")
    value: object = getattr(import_module(f"rota.entrypoints.sdk.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
