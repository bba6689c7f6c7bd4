"""Making what files describe, and telling what was made or deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
import typer

from rota.entrypoints.cli.calling import Desk, show_json
from rota.entrypoints.cli.documents import DocumentError, Json
from rota.entrypoints.cli.progress import counted, progress
from rota.entrypoints.sdk.errors import RotaError
from rota.entrypoints.sdk.models import Items

if TYPE_CHECKING:
    from rota.entrypoints.cli.finding import Named
    from rota.entrypoints.sdk.models import Calendar, Job

BATCH = 1_000


def create_each(
    desk: Desk, what: str, create: Callable[..., Job | Calendar], definitions: Sequence[dict[str, Json]]
) -> None:
    """One after the other, each told as soon as it is made, until one is refused."""
    for definition in counted(f"creating {what}", definitions, len(definitions)):
        made = create(**definition)
        show_json(made) if desk.as_json else typer.echo(made.id)


def create_batches(
    desk: Desk,
    what: str,
    create: Callable[[Sequence[dict[str, Json]]], Items[Any]],
    definitions: Sequence[dict[str, Json]],
) -> None:
    """As many as the API takes at once; those of a batch that is refused are not made, nor what comes after it.

    Raises DocumentError, which tells how many are made, where some are.
    """
    made: list[Any] = []  # Any: of any kind
    with progress(f"creating {what}", len(definitions)) as advance:
        for start in range(0, len(definitions) or 1, BATCH):
            try:
                made += create(definitions[start : start + BATCH]).items
            except RotaError as error:
                if not start:
                    raise
                raise DocumentError(f"{error} (the first {start} {what} are made; {start} is item 0 here)") from error
            advance(len(made), "")
    desk.tell(Items[Any](items=made), lambda all_: "\n".join(each.id for each in all_.items))


def tell_deleted(desk: Desk, thing: Named) -> None:
    if desk.as_json:
        typer.echo(orjson.dumps({"id": thing.id, "name": thing.name, "isDeleted": True}))
    else:
        typer.echo(f"{thing.name} is deleted")
