"""Which attempts this worker holds, and which it lately held."""

import asyncio
from collections.abc import Iterator

from rota.entrypoints.sdk.work import Attempt, Key, Stage

RECENT = 30_000
"""Keys kept at least; at most twice as many. At 5,000 runs a second that outlasts the ack wait of the bus."""


class Roster:
    """All attempts held, by (run, attempt)."""

    def __init__(self, recent: int = RECENT) -> None:
        self._held: dict[Key, Attempt] = {}
        self._recent = recent
        self._young: set[Key] = set()
        self._old: set[Key] = set()
        self.empty = asyncio.Event()
        self.empty.set()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(list(self._held.values()))

    def get(self, key: Key) -> Attempt | None:
        return self._held.get(key)

    def has_lately_held(self, key: Key) -> bool:
        return key in self._young or key in self._old

    def add(self, attempt: Attempt) -> None:
        self._held[attempt.item.key] = attempt
        self.empty.clear()

    def give_back(self, attempt: Attempt) -> None:
        """Drops an attempt that may come again."""
        attempt.stage = Stage.GONE
        self._held.pop(attempt.item.key, None)
        if not self._held:
            self.empty.set()

    def close(self, attempt: Attempt) -> None:
        """Drops an attempt that must not be carried out here again."""
        self.give_back(attempt)
        if len(self._young) >= self._recent:
            self._old, self._young = self._young, set()
        self._young.add(attempt.item.key)

    def named(self) -> list[str]:
        """The runs of a heartbeat: from before STARTED is published until the final report is acknowledged."""
        return list({a.item.run_id: None for a in self._held.values() if a.stage > Stage.CLAIMED})

    def of_run(self, run_id: str) -> list[Attempt]:
        return [attempt for attempt in self._held.values() if attempt.item.run_id == run_id]
