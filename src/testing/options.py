"""How patient the clients of a test are."""

from typing import TypedDict


class Patience(TypedDict, total=False):
    """As `Rota` takes them; seconds."""

    timeout: float
    patience: float
