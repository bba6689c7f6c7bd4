"""Messages of the bus as those read them that start runs because of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One message of a stream, as it came. `at` is when the stream stored it; `place` names it by the stream's life
    and its place there.
    """

    subject: str
    body: bytes
    headers: Mapping[str, str]
    at: datetime
    place: str


class EventInbox(Protocol):
    """One stream, read over the lives of this process, the bus and the stream itself: what is not acknowledged comes
    again, and so may what was.
    """

    @property
    def name(self) -> str: ...

    async def look(self) -> None:
        """Notes how far the stream has come. Raises UnavailableError.

        Look, then see who listens, then `follow`: what comes after the look is heard by all who listened before it.
        """
        ...

    async def follow(self, subjects: Collection[str]) -> None:
        """Brings messages on these from now on; what was stored since the look before the last one is brought too.

        Patterns of other streams are passed over. More may be brought than is asked for. Raises UnavailableError.
        """
        ...

    async def fetch(self, limit: int, timeout: float) -> Sequence[EventMessage]:
        """What is there; waits up to `timeout` seconds for the first."""
        ...

    async def acknowledge(self, messages: Sequence[EventMessage]) -> None: ...

    async def close(self) -> None:
        """Stops reading. What comes next begins with a look."""
        ...
