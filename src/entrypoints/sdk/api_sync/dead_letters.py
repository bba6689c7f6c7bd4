# Made from sdk/api by tests/support/twin.py: change it there.
"""The client's calls about dead letters."""

from collections.abc import Iterator, Mapping
from typing import Any, Unpack

from rota.entrypoints.sdk.api_sync.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, get, part, post
from rota.entrypoints.sdk.definitions import DeadFilter, DeadList, LetterFilter, RedriveTerms
from rota.entrypoints.sdk.models import DeadGroup, Page, Redrive, RedriveAsked, WouldRedrive


class DeadLetters(Sender):
    def list_dead(self, **filters: Unpack[DeadList]) -> Page[DeadGroup]:
        """Dead letters, in groups of those that failed alike, the biggest first."""
        return self._send(get("/runs/dead", Page[DeadGroup], filters))

    def iter_dead(self, **filters: Unpack[DeadFilter]) -> Iterator[DeadGroup]:
        return self._every(get("/runs/dead", Page[DeadGroup], {**filters, "limit": WHOLE_PAGE}))

    def redrive(
        self,
        wanted: LetterFilter | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        **how: Unpack[RedriveTerms],
    ) -> RedriveAsked:
        """Has the dead letters that the filter finds carried out once more; `{}` finds all."""
        return self._send(post("/runs/redrive", RedriveAsked, {"filter": wanted, **how}, idempotency_key))

    def would_redrive(self, wanted: LetterFilter | Mapping[str, Any], **how: Unpack[RedriveTerms]) -> WouldRedrive:
        """What `redrive` would take."""
        return self._send(post("/runs/redrive", WouldRedrive, {"filter": wanted, **how, "dryRun": True}))

    def get_redrive(self, redrive_id: str) -> Redrive:
        return self._send(get(f"/redrives/{part(redrive_id)}", Redrive))

    def cancel_redrive(self, redrive_id: str, reason: str = "", *, idempotency_key: str | None = None) -> Redrive:
        """It makes no more runs; those that it has made go on."""
        path = f"/redrives/{part(redrive_id)}/cancel"
        return self._send(post(path, Redrive, {"reason": reason}, idempotency_key))
