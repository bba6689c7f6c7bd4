"""Rota: a multi-tenant, event-driven scheduler.

What is listed here is the public API. Each name is loaded when it is first used, so that `import rota` is quick and
a program that only runs workers loads no server library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rota.entrypoints.sdk.client import Rota, RotaSync
    from rota.entrypoints.sdk.context import JobContext
    from rota.entrypoints.sdk.errors import Abort, Retry, RotaError
    from rota.entrypoints.sdk.worker import Worker

__all__ = ["Abort", "JobContext", "Retry", "Rota", "RotaError", "RotaSync", "Worker"]

_HOMES = {
    "Abort": "errors",
    "JobContext": "context",
    "Retry": "errors",
    "Rota": "client",
    "RotaError": "errors",
    "RotaSync": "client",
    "Worker": "worker",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'rota' has no attribute {name!r}")
    value: object = getattr(import_module(f"rota.entrypoints.sdk.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
