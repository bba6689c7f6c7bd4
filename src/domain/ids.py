"""The names of things. Ids are UUIDv7, made outside the domain and passed in."""

from __future__ import annotations

import re
from typing import NewType
from uuid import UUID

from rota.domain.errors import InvalidError

TenantId = NewType("TenantId", str)
ScheduleId = NewType("ScheduleId", UUID)
JobId = NewType("JobId", UUID)
RunId = NewType("RunId", UUID)
WorkerId = NewType("WorkerId", UUID)
RedriveId = NewType("RedriveId", UUID)
BackfillId = NewType("BackfillId", UUID)
CalendarId = NewType("CalendarId", UUID)

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def tenant_id(text: str) -> TenantId:
    """A checked tenant name; raises InvalidError."""
    return TenantId(slug(text, "tenantId"))


def slug(text: str, field: str) -> str:
    """`text` if it can name a tenant or a queue; raises InvalidError on `field`."""
    if not _SLUG.fullmatch(text):
        raise InvalidError("must match [a-z0-9][a-z0-9_-]{0,62}", field)
    return text


def printable_name(text: str, field: str = "name") -> str:
    """`text` if it can name a schedule, job or calendar; raises InvalidError on `field`."""
    if not 1 <= len(text) <= 200:
        raise InvalidError("must have 1 to 200 characters", field)
    if not text.isprintable():
        raise InvalidError("must be printable characters", field)
    return text
