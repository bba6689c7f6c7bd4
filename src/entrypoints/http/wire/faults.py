"""From pydantic's errors to the contract's: which field, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from rota.domain.errors import FieldFault, InvalidError

_MOST: Final = 10_000
_LONGEST: Final = 80

_WORDS: Final = {"missing": "is required", "extra_forbidden": "unknown"}
_TAGS: Final[Mapping[str, frozenset[str]]] = {
    "trigger": frozenset({"CRON", "RRULE", "BUSINESS_DAY", "ONE_SHOT", "FIXED_RATE", "FIXED_DELAY", "EVENT"}),
    "target": frozenset({"JOB", "EVENT", "HTTP", "QUEUE"}),
    "holidays": frozenset({"DATE", "WEEKDAY", "EASTER", "COUNTRY"}),
}
"""The fields whose value may have one of several shapes, and what pydantic calls these in the path to a fault."""


def refusal(error: ValidationError) -> InvalidError:
    """Nobody reads ten thousand faults, and to write them down would hold up everybody else."""
    if error.error_count() > _MOST:
        return InvalidError(f"{error.error_count():,} faults; more than {_MOST:,} are not listed")
    listed = error.errors(include_url=False, include_context=True, include_input=False)
    return InvalidError("", faults=tuple(faults(listed)))


def faults(errors: Iterable[Mapping[str, Any]]) -> Iterable[FieldFault]:  # Any: pydantic's error details
    for error in errors:
        parts, message = list(error["loc"]), _WORDS.get(error["type"], error["msg"])
        match error["type"]:
            case "union_tag_not_found":
                parts, message = [*parts, _discriminator(error)], "is required"
            case "union_tag_invalid":
                parts, message = [*parts, _discriminator(error)], _unknown_tag(error["ctx"])
        yield FieldFault(path(parts), message)


def path(parts: Iterable[object]) -> str:
    """`17.trigger.cron`: as the sender would write it, without what only pydantic knows of."""
    named: list[str] = []
    for part in map(str, parts):
        is_tag = part in _TAGS.get(_field_of(named), ())
        if not is_tag and part != "[key]":
            named.append(part[:_LONGEST])
    return ".".join(named)


def _field_of(named: list[str]) -> str:
    """The last one that is named; a place in a list is none."""
    return next((name for name in reversed(named) if not name.isdecimal()), "")


def _discriminator(error: Mapping[str, Any]) -> str:
    name: str = error["ctx"]["discriminator"]
    return name.strip("'")


def _unknown_tag(said: Mapping[str, Any]) -> str:
    return f"must be one of {said['expected_tags']}"
