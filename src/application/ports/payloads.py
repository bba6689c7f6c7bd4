"""What a job's `payloadSchema` says of payloads."""

from __future__ import annotations

from typing import Protocol

from rota.domain.payload import Json


class PayloadRules(Protocol):
    """JSON Schema. Nothing is fetched from anywhere: a schema stands for itself."""

    def check_schema(self, schema: Json) -> None:
        """Raises InvalidError with the paths under `payloadSchema` if it is none, or needs what is not here."""
        ...

    def check(self, schema: Json, payload: Json | None) -> None:
        """Raises InvalidError with the paths under `payload`; None is checked as null.

        Takes half a second of computing at most: what needs longer is refused.
        """
        ...
