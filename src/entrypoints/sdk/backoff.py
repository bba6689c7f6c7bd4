"""How long to wait before trying again."""

import random


class Backoff:
    """Doubling waits with jitter, so that a thousand workers do not come back in the same instant.

    Each wait lies between half of the current step and the whole of it. Seconds.
    """

    __slots__ = ("_first", "_most", "_step")

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._step = first

    def next(self) -> float:
        step = self._step
        self._step = min(step * 2, self._most)
        return step * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        self._step = self._first
