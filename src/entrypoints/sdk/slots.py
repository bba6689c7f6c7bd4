"""How many runs may be where.

A slot carries out one run at a time. Where runs are brief, a worker that took only what fits into its free slots would
mostly wait for the bus; there it works ahead: some more messages are claimed, and some more runs announced as STARTED,
than slots are free. Where runs last, working ahead would only keep work from others, and it ends.
"""

from collections.abc import Callable
from time import monotonic

BRIEF = 0.02
"""Seconds: runs below this, on average, are brief."""
CLAIM_AHEAD = 4
"""Times the capacity that brief runs may be claimed ahead."""
START_AHEAD = 1
"""Times the capacity that brief runs may be announced ahead."""
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

    def may_claim(self) -> int:
        return self._room(CLAIM_AHEAD) - self.claimed

    def may_start(self) -> int:
        return self._room(START_AHEAD)

    def may_run(self) -> int:
        return self.capacity - self.running

    def free(self, lasted: float) -> None:
        """A handler has ended after `lasted` seconds."""
        self.running -= 1
        self._typical += _WEIGHT * (lasted - self._typical)
        self._last_freed = self._clock()
        self.freed()

    def forget_waiting(self) -> None:
        """Nothing is claimed or announced any more; handlers that still run keep their slots."""
        self.claimed = self.starting = 0

    def _room(self, ahead: int) -> int:
        allowed = self.capacity * (1 + ahead) if self.are_brief else self.capacity
        return allowed - self.starting - self.running
