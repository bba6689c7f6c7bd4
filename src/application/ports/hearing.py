"""Whether silence says anything: a heartbeat counts as missing only while somebody could hear it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Hearing(Protocol):
    """Since when, and until when, heartbeats could be heard by anybody."""

    async def listened(self, now: datetime) -> None: ...

    async def span(self) -> tuple[datetime, datetime] | None: ...
