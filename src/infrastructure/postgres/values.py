"""Instants and lengths as stored JSON holds them: ISO 8601 texts, and seconds. What is None stays None."""

from __future__ import annotations

from datetime import datetime, timedelta


def seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def instant_text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
