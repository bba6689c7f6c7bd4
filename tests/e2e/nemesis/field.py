"""What the faults work on: the system under test, who has which part of it in hand, and what was done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from tests.e2e.checker.history import Fault, Key
from tests.e2e.nemesis.api import Api
from tests.e2e.nemesis.cluster import Cluster
from tests.e2e.nemesis.process import Process
from tests.e2e.nemesis.strike import Strike
from tests.e2e.nemesis.tap import Tap
from tests.e2e.nemesis.warden import Warden
from tests.e2e.proxy import Link

T = TypeVar("T")


class NothingToStrikeError(Exception):
    """There is no such thing at the moment, or another fault has it in hand."""


@dataclass
class Field:
    """One fault at a time has a process, a server or a link in hand: what it restores shall not undo another's."""

    cluster: Cluster
    warden: Warden
    tap: Tap
    api: Api
    tell: Callable[[str], None]
    faults: list[Fault] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What no fault excuses: a process that would not end, say."""
    accepted: list[Key] = field(default_factory=list)
    """Runs that the API said yes to."""
    malformed: dict[str, int] = field(default_factory=dict)
    """Marks of unreadable messages, and how many rejected reports each must leave."""
    taken: set[object] = field(default_factory=set)
    """Servers and links that are in hand; the warden keeps its own list of processes."""

    @contextmanager
    def noted(self, kind: str, target: str, *, at_edge: bool = False, deposes: bool = False) -> Iterator[None]:
        """A fault, from here to the end of the block."""
        began = datetime.now(UTC)
        try:
            yield
        finally:
            fault = Fault(kind, target, began, datetime.now(UTC), at_edge, deposes)
            self.faults.append(fault)
            self.tell(f"{kind} {target} for {(fault.ended - fault.began).total_seconds():.1f} s")

    @contextmanager
    def in_hand(self, *processes: Process) -> Iterator[None]:
        """The warden leaves them alone. Raises NothingToStrikeError where one of them is taken."""
        if any(process in self.warden.hands_off for process in processes):
            raise NothingToStrikeError
        self.warden.hands_off.update(processes)
        try:
            yield
        finally:
            self.warden.hands_off.difference_update(processes)

    @contextmanager
    def taking(self, *things: object) -> Iterator[None]:
        """Raises NothingToStrikeError where one of them is taken, or there is none."""
        if not things or not self.taken.isdisjoint(things):
            raise NothingToStrikeError
        self.taken.update(things)
        try:
            yield
        finally:
            self.taken.difference_update(things)

    def taken_beside(self, thing: object) -> bool:
        """Whether other faults go on."""
        return bool(self.taken - {thing} or self.warden.hands_off)

    @contextmanager
    def holding(self, links: Sequence[Link]) -> Iterator[None]:
        """They are clear again in the end."""
        with self.taking(*links):
            try:
                yield
            finally:
                for link in links:
                    link.clear()

    async def leader(self, strike: Strike) -> tuple[Process, bool]:
        """The leader and True; where nobody leads, any server and False."""
        leader = await self.cluster.leader()
        if leader is not None:
            return leader, True
        return self.server(strike), False

    def server(self, strike: Strike) -> Process:
        return self._free(self.cluster.servers, strike)

    def worker(self, strike: Strike) -> Process:
        return self._free(self.cluster.workers, strike)

    def _free(self, processes: Sequence[Process], strike: Strike) -> Process:
        free = [each for each in processes if each.is_running and each not in self.warden.hands_off]
        return drawn(free, strike)


def drawn(choices: Sequence[T], strike: Strike) -> T:
    """Raises NothingToStrikeError where there is no choice."""
    if not choices:
        raise NothingToStrikeError
    return choices[int(strike.draw * len(choices))]
