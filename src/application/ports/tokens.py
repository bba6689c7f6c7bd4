"""Who calls, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

READ: Final = "scheduler:read"
OPERATE: Final = "scheduler:operate"
ADMIN: Final = "scheduler:admin"
SCOPES: Final = (READ, OPERATE, ADMIN)

ANY_TENANT: Final = "*"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that was verified says. `tenant` may be ANY_TENANT: its holder names one with each call."""

    tenant: str
    scopes: frozenset[str]

    def allows(self, scope: str) -> bool:
        """ADMIN includes the other scopes."""
        return scope in self.scopes or ADMIN in self.scopes


class Tokens(Protocol):
    async def verify(self, token: str) -> Claims:
        """Raises UnauthenticatedError, and UnavailableError while nobody can tell."""
        ...
