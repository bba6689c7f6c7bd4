"""Running a worker by name: `module:worker`."""

import asyncio
import sys
from collections.abc import Coroutine
from importlib import import_module
from pathlib import Path

from rota.entrypoints.sdk.worker import Worker


def run_worker(target: str) -> None:
    """Serves until drained by a signal. The current folder is searched for the module first.

    Raises ValueError for a target that names no worker, and ImportError as importing its module does.
    """
    _run(load_worker(target).run())


def load_worker(target: str) -> Worker:
    """The worker that `module:name` stands for; a dotted name walks attributes."""
    module, _, path = target.partition(":")
    if not module or not path:
        raise ValueError(f"{target!r} is not of the form module:worker")
    _search_here()
    found: object = import_module(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, Worker):
        raise ValueError(f"{target!r} is no Worker")
    return found


def _search_here() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _run(main: Coroutine[object, object, None]) -> None:
    """On uvloop where it is installed, which the SDK does not ask for."""
    try:
        from uvloop import run
    except ImportError:
        asyncio.run(main)
    else:
        run(main)
