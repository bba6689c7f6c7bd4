"""Commands that list: page by page, all of it, or again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer

from rota.entrypoints.cli.calling import Command, Desk, command, offering, option, parameters

if TYPE_CHECKING:
    from rota.entrypoints.cli.tables import Listing
    from rota.entrypoints.sdk.models import Page

T = TypeVar("T")

PAGING = "Paging"

Limit = Annotated[int, typer.Option(min=1, max=200, help="How many at most, or on a page.", rich_help_panel=PAGING)]
Cursor = Annotated[str | None, typer.Option(help="Go on where a list ended: its nextCursor.", rich_help_panel=PAGING)]
PageNumber = Annotated[
    int | None, typer.Option("--page", min=1, help="That page, with how many there are.", rich_help_panel=PAGING)
]
Everything = Annotated[bool, typer.Option("--all", help="All there are.", rich_help_panel=PAGING)]
WatchList = Annotated[
    bool, typer.Option("--watch", help="Show it again whenever it changes, until Ctrl-C.", rich_help_panel=PAGING)
]


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """What is listed: the call, its filters, and how a page of it looks."""

    ask: Callable[..., Page[T]]
    table: Callable[[Page[T]], Listing]
    filters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is wanted."""

    limit: int
    cursor: str | None = None
    page: int | None = None
    everything: bool = False

    def of(self, asked: Asked[T]) -> Page[T]:
        from rota.entrypoints.cli.finding import every
        from rota.entrypoints.sdk.models import Page

        if self.everything:
            return Page[Any](items=list(every(asked.ask, **asked.filters)))
        if self.page is not None:
            return asked.ask(**asked.filters, page=self.page, pageSize=self.limit)
        return asked.ask(**asked.filters, limit=self.limit, cursor=self.cursor)


def list_command(
    app: typer.Typer, name: str, *examples: str, numbered: bool = True
) -> Callable[[Callable[..., Asked[Any]]], Command]:
    """As `command`, for a function that answers what is listed: it gets --limit, --cursor, --page, --all, --watch.

    `numbered` is whether its pages have numbers.
    """

    def add(function: Callable[..., Asked[Any]]) -> Command:
        def run(
            desk: Desk,
            *,
            limit: int,
            cursor: str | None,
            everything: bool,
            watch: bool,
            page: int | None = None,
            **said: Any,
        ) -> None:
            part = _part(limit, cursor, page, everything=everything)
            asked = function(desk, **said)
            if watch:
                from rota.entrypoints.cli.watching import watch_list

                watch_list(desk, lambda: part.of(asked), asked.table)
            else:
                desk.tell(part.of(asked), asked.table)

        return command(app, name, *examples)(
            offering(
                run, function, [*parameters(function), *(each for each in OFFERED if numbered or each.name != "page")]
            )
        )

    return add


OFFERED = (
    option("limit", Limit, 50),
    option("cursor", Cursor, None),
    option("page", PageNumber, None),
    option("everything", Everything, False),
    option("watch", WatchList, False),
)


def _part(limit: int, cursor: str | None, page: int | None, *, everything: bool) -> Part:
    said = [name for name, value in (("--cursor", cursor), ("--page", page), ("--all", everything or None)) if value]
    if len(said) > 1:
        raise typer.BadParameter(f"{' and '.join(said)} do not go together")
    return Part(limit, cursor, page, everything)
