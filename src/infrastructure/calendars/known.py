"""Calendars that can be asked, each made once for all who ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from rota.domain.calendar import Calendar
from rota.domain.calendars.open_days import OpenDays, open_days_of
from rota.domain.ids import CalendarId, TenantId

Key: TypeAlias = tuple[TenantId, CalendarId]
Versions: TypeAlias = tuple[tuple[TenantId, CalendarId, int], ...]

MOST = 1000


class KnownOpenDays:
    """Remembers the latest thousand by their versions and those of all that they include.

    So ten thousand schedules on one calendar work out its holidays once. Only what is committed may be asked about:
    a version that is undone would be remembered as it never was.
    """

    def __init__(self) -> None:
        self._made: dict[Versions, OpenDays] = {}

    def of(self, wanted: Iterable[Key], found: Mapping[Key, Calendar]) -> Mapping[Key, OpenDays]:
        """Those that are found with all that they include."""
        told = {}
        for key in wanted:
            parts = _with_included(key, found)
            if parts is not None:
                told[key] = self._of(key, parts)
        return told

    def _of(self, key: Key, parts: Mapping[CalendarId, Calendar]) -> OpenDays:
        versions = tuple((each.tenant_id, each.id, each.version) for each in parts.values())
        made = self._made.pop(versions, None)
        if made is None:
            made = open_days_of(key[1], {own: each.definition for own, each in parts.items()})
            if len(self._made) >= MOST:
                del self._made[next(iter(self._made))]
        self._made[versions] = made
        return made


def _with_included(key: Key, found: Mapping[Key, Calendar]) -> Mapping[CalendarId, Calendar] | None:
    """The calendar, first, with all that it includes; None if one of them is not found."""
    parts: dict[CalendarId, Calendar] = {}
    ahead = [key[1]]
    while ahead:
        own = ahead.pop()
        calendar = found.get((key[0], own))
        if calendar is None:
            return None
        if own not in parts:
            parts[own] = calendar
            ahead += calendar.definition.includes
    return parts
