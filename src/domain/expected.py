"""What the caller of a change last saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rota.domain.errors import StaleError


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions of which one must stand; None is any."""

    versions: frozenset[int] | None = None

    def check(self, version: int) -> None:
        """Raises StaleError. It says something only within the work that changes what has that version, locked."""
        if self.versions is not None and version not in self.versions:
            raise StaleError(version)


ANY_VERSION: Final = Expected()
