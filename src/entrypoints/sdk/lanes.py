"""How the room of one worker is shared over its lanes: who asks the bus for how many messages, and who starts next.

A lane is in one of three states:

    probing   nothing waits for it, as far as is known: one pull for one message is parked at the bus
    sweeping  its last pull was filled, so more may wait: it asks for its share of the room, without waiting
    resting   its last pull was answered by an error (consumer or stream gone): it backs off, then probes

A filled probe or sweep leads to a sweep, an empty one to a probe. Only sweeps count against the room: a probe that is
filled while no slot is free brings one message, which waits a moment for one. So an idle lane costs a busy one nothing,
and no lane waits for another's pull to end.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rota.entrypoints.sdk.backoff import Backoff
from rota.entrypoints.sdk.work import Attempt

PULL_WAIT = 5.0
"""Seconds a probe is parked: a pull dies with the server that holds it, so none is trusted for longer."""
ANSWER_WAIT = 1.0
"""Seconds more until a pull without an answer is given up."""


@dataclass(slots=True, eq=False)
class Lane:
    """One job's work on the bus, as this worker sees it."""

    job: str
    stream: str
    consumer: str
    waiting: deque[Attempt] = field(default_factory=deque)
    pull: int = 0
    """The number of the pull that is out; messages and answers of earlier ones change nothing here."""
    due: int = 0
    """How many messages that pull may still bring; 0: none is out."""
    given_up_at: float = 0.0
    sweeps: bool = False
    _is_sweep: bool = False
    _rests_until: float = 0.0
    _backoff: Backoff = field(default_factory=lambda: Backoff(0.25, 2.0))

    @property
    def owed(self) -> int:
        """What a sweep that is out may bring."""
        return self.due if self._is_sweep else 0

    def wants(self, now: float) -> bool:
        return self.due == 0 and now >= self._rests_until

    def ask(self, room: int, now: float) -> "Pull":
        self.pull += 1
        self._is_sweep = self.sweeps
        self.due = room if self.sweeps else 1
        self.given_up_at = now + ANSWER_WAIT + (0.0 if self.sweeps else PULL_WAIT)
        return Pull(self, self.due, is_sweep=self.sweeps)

    def filled_by_one(self) -> None:
        self._backoff.reset()
        if self.due > 0:
            self.due -= 1
            self.sweeps = self.due == 0

    def came_up_empty(self) -> None:
        self._backoff.reset()
        self.due = 0
        self.sweeps = False

    def failed(self, now: float) -> None:
        """The bus refused: no such consumer, or it cannot say."""
        self.due = 0
        self.sweeps = False
        self._rests_until = now + self._backoff.next()

    def forget(self) -> None:
        """The connection was lost, and with it the pull."""
        self.due = 0
        self._rests_until = 0.0


@dataclass(frozen=True, slots=True)
class Pull:
    """One request for messages."""

    lane: Lane
    batch: int
    is_sweep: bool


class Lanes:
    """All lanes of one registration, in turns."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = deque(lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    def pulls(self, room: int, now: float) -> list[Pull]:
        """What to ask for when `room` more messages may be claimed; the sweeps that are out are taken off here."""
        room -= sum(lane.owed for lane in self._lanes)
        if room < 1:
            return []
        ready = [lane for lane in self._lanes if lane.wants(now)]
        hungry = [lane for lane in ready if lane.sweeps]
        self._lanes.rotate(-1)
        probes = [lane.ask(1, now) for lane in ready if not lane.sweeps]
        return probes + _shared(hungry, room, now)

    def next_claimed(self, count: int) -> list[Attempt]:
        """Up to `count` claimed attempts, one from each lane in turn, oldest first in each."""
        taken: list[Attempt] = []
        empty = 0
        while len(taken) < count and empty < len(self._lanes):
            lane = self._lanes[0]
            self._lanes.rotate(-1)
            empty = 0 if lane.waiting else empty + 1
            if lane.waiting:
                taken.append(lane.waiting.popleft())
        return taken


def _shared(lanes: Sequence[Lane], room: int, now: float) -> list[Pull]:
    pulls = []
    for left in range(len(lanes), 0, -1):
        share = -(-room // left)
        if share < 1:
            break
        pulls.append(lanes[len(lanes) - left].ask(share, now))
        room -= share
    return pulls
