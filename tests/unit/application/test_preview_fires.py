from __future__ import annotations

from datetime import UTC, datetime

from tests.support.builders import a_schedule, next_id

from rota.application.preview_fires import upcoming_fires
from rota.domain.calendars.definition import CalendarDefinition, FixedDate
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.ids import CalendarId
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron

OFFICE = OpenDays(CalendarDefinition(name="office", holidays=(FixedDate(12, 25, "Christmas Day"),)))


def test_a_fire_has_a_note_where_something_touched_it() -> None:
    schedule = a_schedule(Cron("30 2 * * *"), tz="Europe/Berlin")

    before, on_the_day, after = upcoming_fires(schedule, datetime(2026, 3, 28, tzinfo=UTC), 3)

    assert (before.note, after.note) == ("", "")
    assert on_the_day.note.startswith("02:30 does not exist in Europe/Berlin on 2026-03-29")


def test_the_first_fire_tells_of_the_closed_days_since_the_start() -> None:
    rule = CalendarRule(CalendarId(next_id()), OnClosed.SKIP)
    schedule = a_schedule(Cron("0 9 * * *"), calendar=rule, open_days=OFFICE)

    first, second = upcoming_fires(schedule, datetime(2026, 12, 25, tzinfo=UTC), 2)

    assert (first.at.day, first.note) == (28, "office was closed on 2026-12-25 (Christmas Day)")
    assert second.note == ""
