from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from icalendar import Calendar

from rota.application.ports.calendar_files import ImportedDays
from rota.domain.calendars.definition import (
    CalendarDefinition,
    Closure,
    ExtraOpenDay,
    FixedDate,
    NthWeekday,
    PublicHolidays,
    Weekday,
)
from rota.domain.calendars.open_days import Cause, OpenDays
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId
from rota.infrastructure.calendars.ical import read_ical, write_ical

FIRST, LAST = date(2026, 1, 1), date(2028, 12, 31)
CALENDAR_ID = CalendarId(UUID(int=1))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def event(*lines: str, summary: str = "Party", uid: str = "1") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{summary}", *lines, "END:VEVENT"])


def read(*events: str) -> ImportedDays:
    file = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", *events, "END:VCALENDAR", ""])
    return read_ical(file.encode(), FIRST, LAST)


def closures(*events: str) -> list[tuple[str, str]]:
    return [(f"{each.first}", f"{each.last}") for each in read(*events).closures]


def faults(*events: str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidError) as refusal:
        read(*events)
    return [(fault.field, fault.message) for fault in refusal.value.faults]


class TestReading:
    def test_an_all_day_event_is_a_closure_with_its_summary(self) -> None:
        found = read(event("DTSTART;VALUE=DATE:20260504", summary="Works  outing\\, all"))

        assert found == ImportedDays((), (Closure(date(2026, 5, 4), date(2026, 5, 4), "Works outing, all"),), ())

    @pytest.mark.parametrize(
        ("lines", "last"),
        [
            (["DTEND;VALUE=DATE:20260505"], "2026-05-04"),
            (["DTEND;VALUE=DATE:20260508"], "2026-05-07"),
            (["DURATION:P1D"], "2026-05-04"),
            (["DURATION:P2W"], "2026-05-17"),
        ],
    )
    def test_several_days_are_a_range_and_the_end_is_not_in_it(self, lines: list[str], last: str) -> None:
        assert closures(event("DTSTART;VALUE=DATE:20260504", *lines)) == [("2026-05-04", last)]

    def test_a_date_each_year_is_a_holiday(self) -> None:
        found = read(
            event("DTSTART;VALUE=DATE:20201224", "RRULE:FREQ=YEARLY", summary="Christmas Eve"),
            event("DTSTART;VALUE=DATE:20200101", "RRULE:FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=1", summary="May Day"),
        )

        assert found.holidays == (FixedDate(12, 24, "Christmas Eve"), FixedDate(5, 1, "May Day"))
        assert found.closures == ()

    def test_a_weekday_of_a_month_each_year_is_a_holiday(self) -> None:
        found = read(
            event("DTSTART;VALUE=DATE:20201126", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", summary="Thanksgiving")
        )

        assert found.holidays == (NthWeekday(11, Weekday.TH, 4, "Thanksgiving"),)

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (["RRULE:FREQ=YEARLY;COUNT=2"], ["2026-07-01", "2027-07-01"]),
            (["RRULE:FREQ=YEARLY;UNTIL=20270701"], ["2026-07-01", "2027-07-01"]),
            (["RRULE:FREQ=YEARLY;INTERVAL=2"], ["2026-07-01", "2028-07-01"]),
            (["RRULE:FREQ=YEARLY", "EXDATE;VALUE=DATE:20270701"], ["2026-07-01", "2028-07-01"]),
            (["RRULE:FREQ=YEARLY;COUNT=1", "RDATE;VALUE=DATE:20260801"], ["2026-07-01", "2026-08-01"]),
            (["RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=2"], ["2026-07-06", "2026-08-03"]),
        ],
    )
    def test_what_recurs_otherwise_is_a_closure_for_each_time(self, lines: list[str], expected: list[str]) -> None:
        assert [first for first, _ in closures(event("DTSTART;VALUE=DATE:20260701", *lines))] == expected

    def test_a_holiday_that_begins_later_does_not_close_the_years_before(self) -> None:
        found = read(event("DTSTART;VALUE=DATE:20270701", "RRULE:FREQ=YEARLY"))

        assert found.holidays == ()
        assert [each.first for each in found.closures] == [date(2027, 7, 1), date(2028, 7, 1)]

    def test_several_days_that_recur_keep_their_length(self) -> None:
        lines = ("DTSTART;VALUE=DATE:20201230", "DTEND;VALUE=DATE:20210103", "RRULE:FREQ=YEARLY")

        assert closures(event(*lines)) == [
            ("2025-12-30", "2026-01-02"),
            ("2026-12-30", "2027-01-02"),
            ("2027-12-30", "2028-01-02"),
            ("2028-12-30", "2029-01-02"),
        ]

    def test_an_instance_that_was_moved_is_only_where_it_was_moved_to(self) -> None:
        series = event("DTSTART;VALUE=DATE:20260701", "RRULE:FREQ=YEARLY;COUNT=2", uid="a")
        moved = event("DTSTART;VALUE=DATE:20270705", "RECURRENCE-ID;VALUE=DATE:20270701", uid="a")

        assert closures(series, moved) == [("2026-07-01", "2026-07-01"), ("2027-07-05", "2027-07-05")]

    def test_the_same_event_twice_is_one(self) -> None:
        assert len(closures(event("DTSTART;VALUE=DATE:20260701"), event("DTSTART;VALUE=DATE:20260701", uid="2"))) == 1

    def test_what_closes_no_day_is_left_out_with_its_reason(self) -> None:
        found = read(
            event("DTSTART:20260701T090000Z", "DTEND:20260701T100000Z", summary="Meeting"),
            event("DTSTART;VALUE=DATE:20260702", "STATUS:CANCELLED"),
            event("DTSTART;VALUE=DATE:20190101"),
            event("DTSTART;VALUE=DATE:20190101", "RRULE:FREQ=YEARLY;COUNT=2"),
        )

        assert (found.holidays, found.closures) == ((), ())
        assert [(each.field, each.message) for each in found.left_out] == [
            ("events.0", "'Meeting': is not an all-day event"),
            ("events.1", "'Party': is cancelled"),
            ("events.2", "'Party': is not in the days from 2026-01-01 to 2028-12-31"),
            ("events.3", "'Party': does not recur in the days from 2026-01-01 to 2028-12-31"),
        ]

    def test_every_faulty_event_is_named_with_its_place(self) -> None:
        assert faults(
            event("DTSTART;VALUE=DATE:20260230"),
            event("DTSTART;VALUE=DATE:20260701"),
            event(summary="No day"),
            event("DTSTART;VALUE=DATE:20260701", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
            event("DTSTART;VALUE=DATE:20260701", "RRULE:FREQ=WEEKLY;BYMONTHDAY=1"),
            event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY"),
        ) == [
            ("events.0", "'Party': DTSTART: Wrong date format 20260230"),
            ("events.2", "'No day': No DTSTART given."),
            ("events.3", "'Party': can never fire: no date and time matches all of its parts"),
            ("events.4", "'Party': BYMONTHDAY has no meaning with FREQ=WEEKLY"),
            ("events.5", "'Party': recurs more than 1,000 times; weekly days off belong into `workingDays`"),
        ]

    @pytest.mark.parametrize("text", ["", "hello", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR", "\x00\xff"])
    def test_what_is_no_such_file_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidError, match="ical: is no iCalendar file"):
            read_ical(text.encode("latin-1"), FIRST, LAST)

    def test_several_calendars_in_one_file_are_all_read(self) -> None:
        whole = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{}\r\nEND:VCALENDAR\r\n"
        one, other = event("DTSTART;VALUE=DATE:20260701"), event("DTSTART;VALUE=DATE:20260801")

        found = read_ical((whole.format(one) + whole.format(other)).encode(), FIRST, LAST)

        assert len(found.closures) == 2


class TestWriting:
    OPEN_DAYS = OpenDays(
        CalendarDefinition(
            name="DE-BY",
            holidays=(PublicHolidays("DE", "BY"),),
            closures=(Closure(date(2026, 8, 10), date(2026, 8, 21), "Works holiday"),),
            extra_open_days=(ExtraOpenDay(date(2026, 8, 13)),),
        )
    )

    def write(self) -> bytes:
        days = self.OPEN_DAYS.days(date(2026, 6, 1), date(2026, 8, 31))
        return write_ical(CALENDAR_ID, "DE-BY", (day for day in days if day.cause is not Cause.DAY_OFF), NOON)

    def test_days_closed_for_one_reason_are_one_event(self) -> None:
        [calendar] = [Calendar.from_ical(self.write())]

        found = [(str(each["SUMMARY"]), each.start, each.end) for each in calendar.events]
        assert found == [
            ("Corpus Christi", date(2026, 6, 4), date(2026, 6, 5)),
            ("Works holiday", date(2026, 8, 10), date(2026, 8, 13)),
            ("Works holiday", date(2026, 8, 14), date(2026, 8, 22)),
        ]
        assert str(calendar["NAME"]) == "DE-BY"

    def test_the_same_days_are_the_same_events_each_time(self) -> None:
        assert self.write() == self.write()
        uids = [str(each["UID"]) for each in Calendar.from_ical(self.write()).events]
        assert uids[0] == f"20260604.{CALENDAR_ID}@rota"
        assert len(set(uids)) == 3

    def test_what_is_written_is_read_again_as_the_same_closed_days(self) -> None:
        days = list(self.OPEN_DAYS.days(date(2026, 1, 1), date(2026, 12, 31)))

        found = read_ical(write_ical(CALENDAR_ID, "DE-BY", days, NOON), FIRST, LAST)

        again = OpenDays(CalendarDefinition(name="x", working_days=frozenset(Weekday), closures=found.closures))
        assert [again.is_open(each.day) for each in days] == [each.is_open for each in days]
        assert found.left_out == ()


def test_a_file_whose_events_recur_without_measure_is_given_up_early() -> None:
    daily = [event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;COUNT=900", uid=str(n)) for n in range(500)]

    assert faults(*daily) == [("ical", "its events recur more than 10,000 times in all")]
