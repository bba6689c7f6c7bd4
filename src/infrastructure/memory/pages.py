"""One page of a list, and how long the list is where that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar
from uuid import UUID

from rota.application.ports.reads import Page, Paging


class Identified(Protocol):
    @property
    def id(self) -> UUID: ...


Item = TypeVar("Item", bound=Identified)
Listed = TypeVar("Listed")
Place = TypeVar("Place")


def page_of(found: Iterable[Item], paging: Paging[UUID]) -> Page[Item]:
    """Newest first: ids are UUIDv7, so their order is that of creation."""
    return page_by(found, paging, lambda item: item.id, falls=True)


def page_by(
    found: Iterable[Listed], paging: Paging[Place], place: Callable[[Listed], Any], *, falls: bool = False
) -> Page[Listed]:
    """In the order of their places, which rise unless it is said that they fall."""
    ordered = sorted(found, key=place, reverse=falls)
    rest = ordered[paging.passed :]
    if paging.after is not None:
        after: Any = paging.after  # Any: what can be compared
        rest = [item for item in ordered if (place(item) < after if falls else place(item) > after)]
    items = rest[: paging.limit]
    total = None if paging.page is None else len(ordered)
    return Page(items, place(items[-1]) if len(rest) > len(items) else None, total)
