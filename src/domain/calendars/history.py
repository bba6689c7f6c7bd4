"""What calendars said at some time of the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.open_days import OpenDays, open_days_of
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId


@dataclass(frozen=True, slots=True)
class CalendarHistory:
    """Every revision of some calendars of one tenant, and of all that they ever included, each in order."""

    revisions: Mapping[CalendarId, Sequence[tuple[datetime, CalendarDefinition]]]
    _made: dict[tuple[CalendarId, datetime], OpenDays | None] = field(default_factory=dict, repr=False)

    def pieces(self, calendar_id: CalendarId, since: datetime, until: datetime | None) -> Iterator[Piece]:
        """[since, until) cut wherever one of them changed."""
        known = self._reachable(calendar_id)
        changes = sorted({at for own in known for at, _ in self.revisions[own]})
        starts = [since, *(at for at in changes if at > since and (until is None or at < until))]
        for start, end in zip(starts, [*starts[1:], until], strict=True):
            latest = max((at for at in changes if at <= start), default=start)
            yield Piece(start, end, self._at(calendar_id, latest))

    def _at(self, calendar_id: CalendarId, instant: datetime) -> OpenDays | None:
        key = (calendar_id, instant)
        if key not in self._made:
            self._made[key] = self._make(calendar_id, instant)
        return self._made[key]

    def _make(self, calendar_id: CalendarId, instant: datetime) -> OpenDays | None:
        told = {
            own: [said for at, said in self.revisions[own] if at <= instant] for own in self._reachable(calendar_id)
        }
        try:
            return open_days_of(calendar_id, {own: said[-1] for own, said in told.items() if said})
        except InvalidError:  # it was not there yet
            return None

    def _reachable(self, calendar_id: CalendarId) -> Sequence[CalendarId]:
        found: dict[CalendarId, None] = {}
        ahead = [calendar_id]
        while ahead:
            own = ahead.pop()
            if own in self.revisions and own not in found:
                found[own] = None
                ahead += (each for _, said in self.revisions[own] for each in said.includes)
        return list(found)


@dataclass(frozen=True, slots=True)
class Piece:
    """From `since` (included) to `until` (not; None is for ever) the calendar said this; None if it was not there."""

    since: datetime
    until: datetime | None
    open_days: OpenDays | None
