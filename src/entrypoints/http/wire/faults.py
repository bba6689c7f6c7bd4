"""From pydantic's errors to the contract's: which field, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from rota.domain.errors import FieldFault, InvalidError

_MOST: Final = 10_000
_LONGEST: Final = 80

_WORDS: Final = {"missing": "is required", "extra_forbidden": "unknown"}
_TAGS: Final = frozenset({"CRON", "ONE_SHOT", "FIXED_RATE"})
_TAGGED: Final = "trigger"


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
                parts, message = [*parts, "type"], "is required"
            case "union_tag_invalid":
                tag, known = error["ctx"]["tag"], error["ctx"]["expected_tags"]
                parts, message = [*parts, "type"], _unknown_trigger(tag, known)
            case "inside":
                parts += error["ctx"]["inside"]
        yield FieldFault(path(parts), message)


def path(parts: Iterable[object]) -> str:
    """`17.trigger.cron`: as the sender would write it, without what only pydantic knows of."""
    named: list[str] = []
    for part in map(str, parts):
        is_tag = part in _TAGS and named[-1:] == [_TAGGED]
        if not is_tag and part != "[key]":
            named.append(part[:_LONGEST])
    return ".".join(named)


def _unknown_trigger(tag: str, known: str) -> str:
    return "not supported yet" if tag in ("RRULE", "FIXED_DELAY", "EVENT") else f"must be one of {known}"
