"""Batches are all or none, and every fault is named by its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rota.domain.errors import FieldFault, InvalidError

Item = TypeVar("Item")
Made = TypeVar("Made")


def each(items: Sequence[Item], make: Callable[[Item], Made], *, indexed: bool) -> list[Made]:
    """Makes all, or raises one InvalidError with the faults of all, as `17.trigger.cron` where `indexed`."""
    made: list[Made] = []
    faults: list[FieldFault] = []
    for index, item in enumerate(items):
        try:
            made.append(make(item))
        except InvalidError as error:
            named = error.under(str(index)) if indexed else error
            faults.extend(named.faults)
    if faults:
        raise InvalidError("", faults=tuple(faults))
    return made
