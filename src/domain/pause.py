"""What becomes of the due times of a pause, once it is over."""

from __future__ import annotations

from enum import StrEnum


class MakeUp(StrEnum):
    """Pausing is not missing: unless somebody wants it, what fell due is neither run nor missed."""

    NONE = "NONE"
    LAST = "LAST"
    ALL = "ALL"
