"""What a UUIDv7 says of the time at which it was made. Whoever made it went by the clock of his own machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND


def made_at(own_id: UUID) -> datetime:
    """To the millisecond; what is no UUIDv7 counts as made at some time."""
    return _EPOCH + min(own_id.int >> 80, _LATEST) * _MILLISECOND


def first_made_at(instant: datetime) -> UUID:
    """No id made at that instant or later is smaller."""
    return UUID(int=max((instant - _EPOCH) // _MILLISECOND, 0) << 80)
