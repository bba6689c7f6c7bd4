"""Parameters that nobody reads are errors that name them, and so are those said twice where one counts."""

from __future__ import annotations

from collections import Counter
from typing import Final

from fastapi import Depends, Request

from rota.domain.errors import FieldFault, InvalidError

_REPEATABLE: Final = frozenset({"label", "state", "cause"})
_LONGEST: Final = 80


def no_parameters(request: Request, *known: str) -> None:
    """For a call that takes none but the known ones, and `tenantId`, which goes with every call."""
    _refuse([name for name in request.query_params if name not in ("tenantId", *known)], "unknown")


def once_each(request: Request) -> None:
    counted = Counter(name for name, _ in request.query_params.multi_items() if name not in _REPEATABLE)
    _refuse([name for name, times in counted.items() if times > 1], "is said more than once")


def _refuse(names: list[str], message: str) -> None:
    if names:
        raise InvalidError("", faults=tuple(FieldFault(name[:_LONGEST], message) for name in names))


async def _no_parameters(request: Request) -> None:
    no_parameters(request)


NO_PARAMETERS = Depends(_no_parameters)
