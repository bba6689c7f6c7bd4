"""One fault of a plan, and the kinds there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from tests.e2e.nemesis.field import Field


@dataclass(frozen=True, slots=True)
class Strike:
    """Seconds after the start of the load, and for how long. Kinds that are over at once last 0."""

    at: float
    kind: str
    lasts: float
    draw: float
    """In [0, 1): which worker, stream or link is meant, or which way."""


Way: TypeAlias = "Callable[[Field, Strike], Awaitable[None]]"
"""Does it, and has undone it when it returns. Raises NothingToStrikeError."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`weight` is how often it comes, against others; `lasts` in seconds, and so `long`: now and then, in long runs."""

    way: Way
    weight: int = 1
    lasts: tuple[float, float] = (0.0, 0.0)
    long: tuple[float, float] | None = None
    fault: str = ""
    """Its number in the list of faults."""
