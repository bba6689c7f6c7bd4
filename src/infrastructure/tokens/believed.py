"""Tokens that were proven once are not proven again: a signature costs a tenth of a millisecond, a look-up nothing."""

from __future__ import annotations

from rota.application.ports.tokens import Claims
from rota.infrastructure.tokens.rules import check_time

_MOST = 1024


class BelievedTokens:
    """What one set of keys has signed. It goes with these keys; only what was proven is ever kept."""

    def __init__(self) -> None:
        self._believed: dict[str, tuple[Claims, float]] = {}

    def find(self, token: str, now: float) -> Claims | None:
        """Raises UnauthenticatedError for one that has expired since."""
        found = self._believed.get(token)
        if found is None:
            return None
        check_time(found[1], now)
        return found[0]

    def keep(self, token: str, claims: Claims, expires: float) -> None:
        if len(self._believed) >= _MOST:
            del self._believed[next(iter(self._believed))]
        self._believed[token] = (claims, expires)
