"""Events on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from rota.entrypoints.http.wire.base import Answer


class EventOut(Answer):
    """A CloudEvent. `sequence` is its place in the log, `aggregateseq` that in its aggregate's history."""

    specversion: str
    id: UUID
    source: str
    type: str
    subject: UUID
    time: datetime
    datacontenttype: str
    tenantid: str
    sequence: int
    aggregateseq: int
    correlationid: str | None
    traceparent: str | None
    data: dict[str, Any]  # Any: depends on `type`
