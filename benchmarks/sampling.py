"""Runs a module and counts where its CPU time goes, without slowing it noticeably.

    python -m benchmarks.sampling OUT MODULE [ARGUMENT...]

A timer of the process's own CPU time interrupts it some hundred times a second; what its main thread is at is noted.
SIGUSR1 begins the count and ends it, in turns; each count begins anew. At the end `OUT` holds a JSON object:
`samples`, `own` (counts by line) and `within` (counts by function, itself or whatever it called).
C functions are seen as the line that calls them.
"""

from __future__ import annotations

import json
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY = 0.001
"""Seconds; the kernel makes of it what its own tick allows."""


class Sampler:
    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.within: Counter[str] = Counter()
        self._names: dict[object, str] = {}
        self._is_on = False

    def toggle(self, number: int, frame: FrameType | None) -> None:
        self._is_on = not self._is_on
        if self._is_on:
            self.own.clear()
            self.within.clear()
        signal.setitimer(signal.ITIMER_PROF, *((EVERY, EVERY) if self._is_on else (0, 0)))

    def note(self, number: int, frame: FrameType | None) -> None:
        if frame is not None:
            self.own[f"{self._name(frame)}:{frame.f_lineno}"] += 1
        seen = set()
        while frame is not None:
            seen.add(self._name(frame))
            frame = frame.f_back
        self.within.update(seen)

    def write(self, path: Path) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_text(json.dumps({"samples": self.own.total(), "own": self.own, "within": self.within}))

    def _name(self, frame: FrameType) -> str:
        code = frame.f_code
        if code not in self._names:
            self._names[code] = f"{short(code.co_filename)}:{code.co_qualname}"
        return self._names[code]


def short(file: str) -> str:
    """A path as it is on every machine."""
    for mark, kept in (
        ("site-packages/", ""),
        ("/lib/rota/", "rota/"),
        ("/src/", "rota/"),
        ("/lib/python3.", "python3."),
    ):
        _, found, rest = file.rpartition(mark)
        if found:
            return kept + rest
    return Path(file).name


def main(out: Path, module: str, arguments: list[str]) -> None:
    sampler = Sampler()
    signal.signal(signal.SIGPROF, sampler.note)
    signal.signal(signal.SIGUSR1, sampler.toggle)
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sampler.write(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
