"""What a kind of broker must be able to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

from rota.infrastructure.brokers.letter import Letter

Place: TypeAlias = Mapping[str, str | int]
"""Where a letter is stored, in the broker's own words."""


class RefusedError(Exception):
    """The broker said no to this one letter; the link is as good as before."""

    def __init__(self, reason: str, *, retryable: bool = True) -> None:
        super().__init__(reason)
        self.retryable = retryable


class Link(Protocol):
    """An open connection to one broker; safe for concurrent callers."""

    @property
    def is_lost(self) -> bool:
        """Whether it is known that nothing can be put any more."""
        ...

    async def put(self, letter: Letter) -> Place:
        """Returns once the broker has confirmed that it is stored.

        Raises RefusedError; UnavailableError where that is not known, and then the link is of no further use.
        """
        ...

    async def close(self) -> None:
        """What was put and not confirmed is given up."""
        ...


Connect: TypeAlias = Callable[[], Awaitable[Link]]
"""Raises UnavailableError where the broker does not answer, and then leaves nothing open."""
