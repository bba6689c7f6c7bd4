"""Receivers that fail are left alone for a while.

              `failures` in a row `within` a time
    closed ─────────────────────────────────────────> open ──its time is over──> half open
      ^                                                ^                            │ lets one through
      │                                                └──it fails: twice as long───┤
      └─────────────────────────────it answers──────────────────────────────────────┘

Only the one that was let through has a say while the circuit is not closed: what set out earlier and comes back now
is old news. Time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple


class Circuit(NamedTuple):
    """What fails together: one receiver of one tenant, so that no tenant closes another's road."""

    tenant: str
    lane: str


class Sign(Enum):
    """What an attempt says about its receiver; NONE if it was given up or never reached it."""

    ALIVE = "ALIVE"
    FAILING = "FAILING"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """One attempt that was let through; to be settled, whatever becomes of it."""

    circuit: Circuit


class CircuitOpenError(Exception):
    """The receiver is left alone; `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(f"open for {retry_after:.1f} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPace:
    """In seconds. `jitter` is the share by which a wait is told longer; `circuits` the most that are remembered."""

    failures: int = 5
    within: float = 60.0
    shortest: float = 5.0
    longest: float = 300.0
    jitter: float = 0.2
    circuits: int = 10_000


@dataclass(slots=True)
class _State:
    """`length` is 0 while the circuit is closed."""

    failed_at: deque[float]
    length: float = 0.0
    until: float = 0.0
    probe: Ticket | None = None
    touched_at: float = field(default=0.0)


class CircuitBreaker:
    """`chance` gives numbers in [0, 1)."""

    def __init__(self, pace: BreakerPace | None = None, chance: Callable[[], float] = random.random) -> None:
        self._pace = pace or BreakerPace()
        self._chance = chance
        self._idle: Final = self._pace.longest + self._pace.within
        self._states: dict[Circuit, _State] = {}

    def __len__(self) -> int:
        """How many circuits are remembered: those with failures."""
        return len(self._states)

    def admit(self, circuit: Circuit, now: float) -> Ticket:
        """Raises CircuitOpenError."""
        state = self._states.get(circuit)
        ticket = Ticket(circuit)
        if state is None or not state.length:
            return ticket
        if state.probe or now < state.until:
            left = state.until - now if now < state.until else state.length
            raise CircuitOpenError(left * (1 + self._pace.jitter * self._chance()))
        state.probe = ticket
        return ticket

    def settle(self, ticket: Ticket, sign: Sign, now: float) -> bool:
        """Whether the circuit is opened by this."""
        state = self._states.get(ticket.circuit)
        if state and state.length:
            if state.probe is not ticket:
                return False
            state.probe = None
        match sign:
            case Sign.ALIVE:
                self._states.pop(ticket.circuit, None)
            case Sign.FAILING:
                return self._failed(ticket.circuit, state, now)
        return False

    def _failed(self, circuit: Circuit, state: _State | None, now: float) -> bool:
        state = state or _State(deque(maxlen=self._pace.failures))
        state.failed_at.append(now)
        opens = bool(state.length) or self._is_too_much(state, now)
        if opens:
            state.length = min(state.length * 2, self._pace.longest) or self._pace.shortest
            state.until = now + state.length
        self._remember(circuit, state, now)
        return opens

    def _is_too_much(self, state: _State, now: float) -> bool:
        return len(state.failed_at) == self._pace.failures and now - state.failed_at[0] <= self._pace.within

    def _remember(self, circuit: Circuit, state: _State, now: float) -> None:
        """The one touched last stands last, so that those to forget are found at the front."""
        state.touched_at = now
        self._states.pop(circuit, None)
        self._states[circuit] = state
        while len(self._states) > self._pace.circuits or self._oldest().touched_at + self._idle < now:
            del self._states[next(iter(self._states))]

    def _oldest(self) -> _State:
        return next(iter(self._states.values()))
