"""What is told of a calendar that is kept."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from tests.support.builders import ACME, HOUR, NOON

from rota.domain.calendar import Calendar, CalendarCreated, CalendarUpdated
from rota.domain.calendars.definition import CalendarDefinition, Weekday
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId

CALENDAR_ID = CalendarId(UUID(int=1))
LATER = NOON + HOUR


def a_calendar() -> Calendar:
    calendar = Calendar.create(ACME, CALENDAR_ID, CalendarDefinition(name="DE-BY"), now=NOON)
    calendar.pull_events()
    return calendar


def test_a_new_calendar_tells_itself_whole() -> None:
    calendar = Calendar.create(ACME, CALENDAR_ID, CalendarDefinition(name="DE-BY"), now=NOON)

    (event,) = calendar.pull_events()
    assert isinstance(event, CalendarCreated)
    assert (event.calendar, event.at, event.subject) == (calendar.snapshot(), NOON, CALENDAR_ID)
    assert (event.type, calendar.version) == ("calendar.created", 1)


def test_a_change_counts_the_version_up_and_the_name_may_change() -> None:
    calendar = a_calendar()

    calendar.change(CalendarDefinition(name="Bavaria", working_days=frozenset({Weekday.MO})), now=LATER)

    (event,) = calendar.pull_events()
    assert isinstance(event, CalendarUpdated)
    assert (event.type, event.calendar) == ("calendar.updated", calendar.snapshot())
    assert (calendar.version, calendar.updated_at, calendar.created_at) == (2, LATER, NOON)


def test_what_is_the_same_changes_nothing() -> None:
    calendar = a_calendar()

    calendar.change(replace(calendar.definition), now=LATER)

    assert (calendar.version, calendar.updated_at, calendar.pull_events()) == (1, NOON, [])


def test_a_calendar_cannot_include_itself() -> None:
    calendar = a_calendar()

    with pytest.raises(InvalidError, match="includes: a calendar cannot include itself"):
        calendar.change(CalendarDefinition(name="x", includes=(CALENDAR_ID,)), now=LATER)

    assert (calendar.version, calendar.pull_events()) == (1, [])


def test_a_deleted_calendar_says_so() -> None:
    calendar = a_calendar()

    calendar.delete(now=LATER)

    assert calendar.deleted_at == LATER
    assert [event.type for event in calendar.pull_events()] == ["calendar.deleted"]
