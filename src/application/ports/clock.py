"""The one clock of the loops."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC; never earlier than a value it gave before."""
        ...


class Ids(Protocol):
    """A source of new UUIDv7 ids, rising in the order they were asked for."""

    def __call__(self) -> UUID: ...
