"""By which dead letters are known to have died of the same thing."""

from __future__ import annotations

import hashlib
import re

from rota.domain.attempt import RunError

_DIGITS = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}|\d+")


def fingerprint_of(work: str, error: RunError | None) -> str:
    """The same for failures of the same work that differ only in their numbers and ids: 16 hexadecimal digits."""
    told = f"{work}\n{error.type}\n{_DIGITS.sub('#', error.message)}" if error else work
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:16]
