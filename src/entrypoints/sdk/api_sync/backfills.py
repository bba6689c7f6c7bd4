# Made from sdk/api by tests/support/twin.py: change it there.
"""The client's calls about backfills."""

from typing import Unpack

from rota.entrypoints.sdk.api_sync.sender import Sender
from rota.entrypoints.sdk.call import get, part, post, said
from rota.entrypoints.sdk.definitions import Stretch
from rota.entrypoints.sdk.models import Backfill, BackfillAsked, WouldBackfill


class Backfills(Sender):
    def backfill(
        self, schedule_id: str, /, *, idempotency_key: str | None = None, **stretch: Unpack[Stretch]
    ) -> BackfillAsked:
        """Has each due time from `from_` to before `to` that has no run filled in."""
        path = f"/schedules/{part(schedule_id)}/backfill"
        return self._send(post(path, BackfillAsked, said(stretch), idempotency_key))

    def would_backfill(self, schedule_id: str, /, **stretch: Unpack[Stretch]) -> WouldBackfill:
        """How many runs `backfill` would make."""
        path = f"/schedules/{part(schedule_id)}/backfill"
        return self._send(post(path, WouldBackfill, {**said(stretch), "dryRun": True}))

    def get_backfill(self, backfill_id: str) -> Backfill:
        return self._send(get(f"/backfills/{part(backfill_id)}", Backfill))

    def cancel_backfill(self, backfill_id: str, reason: str = "", *, idempotency_key: str | None = None) -> Backfill:
        """It makes no more runs; those that it has made go on."""
        path = f"/backfills/{part(backfill_id)}/cancel"
        return self._send(post(path, Backfill, {"reason": reason}, idempotency_key))
