"""How many runs may be where.

A slot is taken from the moment a run is announced as STARTED until its handler has ended; it carries out one run at a
time. Where runs are brief, a worker that claimed only what fits into its free slots would mostly wait for the bus;
there some more messages are claimed than slots are free. Where runs last, that would only keep work from others, and it
ends. (Announcing ahead as well was tried: no faster, dearer, and what found no slot had to be released again.)
"""

from collections.abc import Callable
from time import monotonic

BRIEF = 0.02
"""Seconds: runs below this, on average, are brief."""
CLAIM_AHEAD = 4
"""Times the capacity that brief runs may be claimed ahead."""
STALLED = 0.25
"""Seconds without a free slot after which nothing here counts as brief, whatever the average says."""
_WEIGHT = 0.1


class Slots:
    """The counts of one worker; they outlive a registration, as handlers do."""

    def __init__(self, capacity: int, clock: Callable[[], float] = monotonic) -> None:
        if capacity < 1:
            raise ValueError("concurrency must be at least 1")
        self.capacity = capacity
        self.claimed = 0
        self.starting = 0
        self.running = 0
        self.freed: Callable[[], None] = lambda: None
        self._clock = clock
        self._typical = BRIEF
        self._last_freed = clock()

    @property
    def are_brief(self) -> bool:
        """Whether runs end so fast that working ahead pays."""
        if self._typical >= BRIEF:
            return False
        return self.running < self.capacity or self._clock() - self._last_freed < STALLED

    def may_start(self) -> int:
        """Free slots."""
        return self.capacity - self.starting - self.running

    def may_claim(self) -> int:
        ahead = CLAIM_AHEAD * self.capacity if self.are_brief else 0
        return self.may_start() + ahead - self.claimed

    def free(self, lasted: float) -> None:
        """A handler has ended after `lasted` seconds."""
        self.running -= 1
        self._typical += _WEIGHT * (lasted - self._typical)
        self._last_freed = self._clock()
        self.freed()

    def forget_waiting(self) -> None:
        """Nothing is claimed or announced any more; handlers that still run keep their slots."""
        self.claimed = self.starting = 0
