"""Looking again and again, less and less often, until a time is over."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from rota.entrypoints.sdk.models import Run

FIRST: Final = 0.02
LONGEST: Final = 1.0


class Looking:
    """Seconds all."""

    def __init__(self, timeout: float, clock: Callable[[], float] = monotonic) -> None:
        self._timeout = timeout
        self._clock = clock
        self._end = clock() + timeout
        self._next = FIRST

    @property
    def left(self) -> float:
        return max(0.0, self._end - self._clock())

    def pause(self, run: Run) -> float:
        """Until the next look; the last one is at the very end. Raises TimeoutError after it."""
        if self.left == 0.0:
            raise TimeoutError(f"run {run.id} is {run.state} after {self._timeout:g} s")
        pause = min(self._next, self.left)
        self._next = min(self._next * 2, LONGEST)
        return pause
