"""One page of a list, and how long the list is where that is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rota.application.ports.reads import Page, Paging

Item = TypeVar("Item")
Place = TypeVar("Place")


class Identified(Protocol):
    @property
    def id(self) -> UUID: ...


async def page_of(
    connection: AsyncConnection,
    whole: Select[Any],
    part: Select[Any],
    paging: Paging[Place],
    to_item: Callable[[Row[Any]], Item],
    place: Callable[[Item], Place],
) -> Page[Item]:
    """`part` is of `whole` what comes after the cursor, in order."""
    part = part.limit(paging.limit + 1).offset(paging.passed)
    found = (await connection.execute(part)).all()
    total = None
    if paging.page is not None:
        total = await connection.scalar(select(func.count()).select_from(whole.subquery()))
    items = [to_item(row) for row in found[: paging.limit]]
    return Page(items, place(items[-1]) if len(found) > paging.limit else None, total)
