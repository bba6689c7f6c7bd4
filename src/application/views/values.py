"""What the views are made of.

Those outside see a thing as the JSON of the contract, in answers and in events alike. Values are plain: dict, list,
str, int, float, bool, None, and also datetime (aware, UTC), UUID and Json, which whoever serialises writes as RFC 3339
with `Z`, as text, and as the JSON it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

from rota.domain.payload import Json

View: TypeAlias = dict[str, object]


class RawJson:
    """Marks a text that is JSON already."""

    __slots__ = ("text",)

    def __init__(self, text: Json | None) -> None:
        self.text = text or "null"


def seconds(length: timedelta) -> float | int:
    """Decimal seconds; whole ones as an integer."""
    value = length.total_seconds()
    return int(value) if value.is_integer() else value


def seconds_or_null(length: timedelta | None) -> float | int | None:
    return None if length is None else seconds(length)
