"""Row locks as Postgres keeps them: until the unit of work ends, shared or alone.

They are here, though one lock around each unit of work would be simpler, because the ports promise them:
what is locked is waited for or passed over, and a use case that leans on that must not pass on the fake alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from rota.domain.errors import ConcurrentChangeError

Key = TypeVar("Key", bound=Hashable)


class Holder:
    """Somebody who can hold locks: one unit of work."""

    __slots__ = ("held", "waits_for")

    def __init__(self) -> None:
        self.held: set[Hashable] = set()
        self.waits_for: Hashable | None = None


class Locks:
    def __init__(self) -> None:
        self._alone: dict[Hashable, Holder] = {}
        self._shared: dict[Hashable, set[Holder]] = {}
        self._waiters: dict[Hashable, list[asyncio.Future[None]]] = {}

    @property
    def somebody_waits(self) -> bool:
        return any(not turn.done() for turns in self._waiters.values() for turn in turns)

    def try_take(self, key: Hashable, holder: Holder, *, shared: bool = False) -> bool:
        """False if somebody else's lock is in the way."""
        if any(self._in_the_way(key, holder, shared=shared)):
            return False
        holder.held.add(key)
        if shared:
            self._shared.setdefault(key, set()).add(holder)
        else:
            self._alone[key] = holder
        return True

    async def take(self, key: Hashable, holder: Holder, *, shared: bool = False) -> None:
        """Waits for its turn. Raises ConcurrentChangeError where two would wait for each other for ever."""
        while not self.try_take(key, holder, shared=shared):
            if self._would_close_a_circle(holder, key, shared=shared):
                raise ConcurrentChangeError("data")
            turn = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(key, []).append(turn)
            holder.waits_for = key
            try:
                await turn
            finally:
                holder.waits_for = None

    def take_free(self, kind: str, keys: Iterable[Key], holder: Holder, most: int) -> list[Key]:
        """Of rows of one kind those that nobody else holds, in order, at most so many; the rest is passed over."""
        return list(islice((key for key in keys if self.try_take((kind, key), holder)), most))

    def release_all(self, holder: Holder) -> None:
        for key in holder.held:
            if self._alone.get(key) is holder:
                del self._alone[key]
            if sharers := self._shared.get(key):
                sharers.discard(holder)
            for turn in self._waiters.pop(key, ()):
                if not turn.done():
                    turn.set_result(None)
        holder.held.clear()

    def _in_the_way(self, key: Hashable, holder: Holder, *, shared: bool) -> Iterator[Holder]:
        owner = self._alone.get(key)
        if owner is not None and owner is not holder:
            yield owner
        if not shared:
            yield from (sharer for sharer in self._shared.get(key, ()) if sharer is not holder)

    def _would_close_a_circle(self, holder: Holder, key: Hashable, *, shared: bool) -> bool:
        seen: set[Holder] = set()
        ahead = list(self._in_the_way(key, holder, shared=shared))
        while ahead:
            other = ahead.pop()
            if other is holder:
                return True
            if other not in seen and other.waits_for is not None:
                seen.add(other)
                ahead.extend(self._holders(other.waits_for, other))
        return False

    def _holders(self, key: Hashable, waiting: Holder) -> Iterator[Holder]:
        return self._in_the_way(key, waiting, shared=False)
