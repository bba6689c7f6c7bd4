"""The client's calls about dead letters."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Unpack

from rota.entrypoints.sdk.api.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, get, part, post
from rota.entrypoints.sdk.definitions import DeadFilter, DeadList, LetterFilter, RedriveTerms
from rota.entrypoints.sdk.models import DeadGroup, Page, Redrive, RedriveAsked, WouldRedrive


class DeadLetters(Sender):
    async def list_dead(self, **filters: Unpack[DeadList]) -> Page[DeadGroup]:
        """Dead letters, in groups of those that failed alike, the biggest first."""
        return await self._send(get("/runs/dead", Page[DeadGroup], filters))

    def iter_dead(self, **filters: Unpack[DeadFilter]) -> AsyncIterator[DeadGroup]:
        return self._every(get("/runs/dead", Page[DeadGroup], {**filters, "limit": WHOLE_PAGE}))

    async def redrive(
        self,
        wanted: LetterFilter | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        **how: Unpack[RedriveTerms],
    ) -> RedriveAsked:
        """Has the dead letters that the filter finds carried out once more; `{}` finds all."""
        return await self._send(post("/runs/redrive", RedriveAsked, {"filter": wanted, **how}, idempotency_key))

    async def would_redrive(
        self, wanted: LetterFilter | Mapping[str, Any], **how: Unpack[RedriveTerms]
    ) -> WouldRedrive:
        """What `redrive` would take."""
        return await self._send(post("/runs/redrive", WouldRedrive, {"filter": wanted, **how, "dryRun": True}))

    async def get_redrive(self, redrive_id: str) -> Redrive:
        return await self._send(get(f"/redrives/{part(redrive_id)}", Redrive))

    async def cancel_redrive(self, redrive_id: str, reason: str = "", *, idempotency_key: str | None = None) -> Redrive:
        """It makes no more runs; those that it has made go on."""
        path = f"/redrives/{part(redrive_id)}/cancel"
        return await self._send(post(path, Redrive, {"reason": reason}, idempotency_key))
