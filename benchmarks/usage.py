"""Who uses how much: CPU seconds and memory of each party. On a noisy machine, trust the CPU seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB; `pss` counts a shared page by the share of each process that has it."""

    rss: float
    pss: float


class Meter:
    """Reads parties by the process that each began with. What it started belongs to it if it is named in `families`."""

    def __init__(self, parties: Mapping[str, int], families: frozenset[str] = frozenset({"postgres"})) -> None:
        self._parties = {name: psutil.Process(pid) for name, pid in parties.items()}
        self._families = families

    def cpu(self) -> dict[str, float]:
        """User and system seconds so far."""
        return {name: self._cpu(name, process) for name, process in self._parties.items()}

    def memory(self) -> dict[str, Memory]:
        return {name: self._memory(self._members(name, process)) for name, process in self._parties.items()}

    def _cpu(self, name: str, process: psutil.Process) -> float:
        own = process.cpu_times()
        total = own.user + own.system
        if name in self._families:  # backends that have ended are counted with the one that waited for them
            total += own.children_user + own.children_system
            for child in process.children(recursive=True):
                try:
                    times = child.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                total += times.user + times.system
        return total

    def _members(self, name: str, process: psutil.Process) -> list[psutil.Process]:
        return [process, *(process.children(recursive=True) if name in self._families else ())]

    def _memory(self, members: list[psutil.Process]) -> Memory:
        rss = pss = 0
        for member in members:
            try:
                found = member.memory_full_info()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            rss += found.rss
            pss += getattr(found, "pss", 0)
        return Memory(rss / 2**20, pss / 2**20)


def used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}


def children_named(pid: int) -> dict[str, int]:
    """The direct children of a process, by the names of their programs."""
    return {child.name(): child.pid for child in psutil.Process(pid).children()}
