from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.domain.errors import InvalidError
from rota.domain.time.recurrence import Frequency
from rota.domain.time.rrule import default_start
from rota.domain.time.rrule_text import MAX_COUNT, parse_rrule
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone, place

BERLIN = "Europe/Berlin"
BEFORE_ALL = datetime(1970, 1, 2, tzinfo=UTC)
AFTER_ALL = datetime(2100, 1, 1, tzinfo=UTC)


def fires(
    text: str, start: str, zone: str = BERLIN, *, count: int = 6, after: str = "", change: ClockChange | None = None
) -> list[str]:
    """The first due times after a local time, as the clock in `zone` reads them."""
    tz = load_zone(zone)
    low = datetime.fromisoformat(after).replace(tzinfo=tz).astimezone(UTC) if after else BEFORE_ALL
    found = parse_rrule(text).between(low, AFTER_ALL, datetime.fromisoformat(start), tz, change)
    return [at.astimezone(tz).isoformat(timespec="minutes") for at in islice(found, count)]


def days(text: str, start: str, count: int = 6) -> list[str]:
    """The dates of the first due times."""
    return [at[:10] for at in fires(text, start, "UTC", count=count)]


def refusal_of(text: str) -> str:
    with pytest.raises(InvalidError) as refusal:
        parse_rrule(text)
    [fault] = refusal.value.faults
    assert fault.field == "rrule"
    return fault.message


class TestText:
    def test_the_name_of_the_line_may_be_left_out_and_case_does_not_matter(self) -> None:
        expected = ["2026-01-05", "2026-01-07", "2026-01-12"]

        for text in ("FREQ=WEEKLY;BYDAY=MO,WE", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "rrule:freq=weekly;byday=mo,we;"):
            assert days(text, "2026-01-01T09:00", 3) == expected

    def test_lines_may_be_folded_and_in_any_order(self) -> None:
        text = "EXDATE:20260102T0900\r\n 00\r\nRRULE:FREQ=DAILY;\r\n COUNT=3\r\n"

        assert days(text, "2026-01-01T09:00") == ["2026-01-01", "2026-01-03"]

    def test_a_rule_is_read_once_and_equals_another_of_the_same_text(self) -> None:
        rule = parse_rrule("FREQ=DAILY;COUNT=3")

        assert parse_rrule("FREQ=DAILY;COUNT=3") is rule
        assert parse_rrule.__wrapped__("FREQ=DAILY;COUNT=3") == rule
        assert parse_rrule("FREQ=DAILY;COUNT=4") != rule

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "must have one RRULE line, not 0"),
            ("RDATE:20260101T090000", "must have one RRULE line, not 0"),
            ("FREQ=DAILY\nRRULE:FREQ=WEEKLY", "must have one RRULE line, not 2"),
            ("DTSTART:20260101T090000\nRRULE:FREQ=DAILY", "takes no DTSTART line: say it as `startAt`"),
            ("RRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY", "takes RRULE, EXDATE and RDATE lines, not 'EXRULE'"),
            ("RRULE;X=1:FREQ=DAILY", "RRULE takes no 'X'"),
            ("FREQ=DAILY\nEXDATE;RANGE=THIS:20260101T090000", "EXDATE takes no 'RANGE'"),
            ("hello", "'HELLO' is no part of a rule"),
            ("FREQ=DAILY;BYEASTER=0", "'BYEASTER=0' is no part of a rule"),
            ("FREQ=DAILY;FREQ=DAILY", "FREQ is there twice"),
            ("INTERVAL=2", "FREQ must be one of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY"),
            ("FREQ=FORTNIGHTLY", "FREQ must be one of"),
            ("FREQ=DAILY;INTERVAL=0", "INTERVAL must be a number from 1 to 36,600"),
            ("FREQ=YEARLY;INTERVAL=101", "INTERVAL must be a number from 1 to 100"),
            ("FREQ=DAILY;INTERVAL=1.5", "INTERVAL must be a number"),
            ("FREQ=DAILY;COUNT=0", f"COUNT must be a number from 1 to {MAX_COUNT:,}"),
            ("FREQ=DAILY;COUNT=9999999999", "COUNT must be a number from 1 to"),
            ("FREQ=DAILY;COUNT=3;UNTIL=20260101", "COUNT and UNTIL exclude each other"),
            ("FREQ=DAILY;UNTIL=2026", "UNTIL '2026' is no date (20260131) and no time"),
            ("FREQ=DAILY;UNTIL=20260230", "UNTIL '20260230': day is out of range for month"),
            ("FREQ=DAILY;UNTIL=20260101T250000Z", "UNTIL '20260101T250000Z': hour must be in 0..23"),
            ("FREQ=DAILY;WKST=1", "WKST must be one of MO, TU"),
            ("FREQ=DAILY;BYHOUR=24", "BYHOUR '24' is no number from 0 to 23"),
            ("FREQ=DAILY;BYHOUR=-1", "BYHOUR '-1' is no number from 0 to 23"),
            ("FREQ=DAILY;BYHOUR=", "BYHOUR '' is no number"),
            ("FREQ=DAILY;BYMINUTE=60", "BYMINUTE '60' is no number from 0 to 59"),
            ("FREQ=DAILY;BYSECOND=61", "BYSECOND '61' is no number from 0 to 60"),
            ("FREQ=DAILY;BYMONTH=13", "BYMONTH '13' is no number from 1 to 12"),
            ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY '0' is no number from 1 to 31, or from -31 to -1"),
            ("FREQ=YEARLY;BYYEARDAY=-367", "BYYEARDAY '-367' is no number from 1 to 366"),
            ("FREQ=YEARLY;BYWEEKNO=54", "BYWEEKNO '54' is no number from 1 to 53"),
            ("FREQ=WEEKLY;BYDAY=XX", "BYDAY 'XX' is no weekday"),
            ("FREQ=WEEKLY;BYDAY=", "BYDAY '' is no weekday"),
            ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY '1MO': a number has a meaning only in a month or year"),
            ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "BYDAY '1MO': a number has a meaning only in a month or year"),
            ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY '6MO': the number must be from 1 to 5, or from -5 to -1"),
            ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY '0MO': the number must be from 1 to 5"),
            ("FREQ=YEARLY;BYDAY=-54MO", "BYDAY '-54MO': the number must be from 1 to 53"),
            ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO has no meaning with FREQ=MONTHLY"),
            ("FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY has no meaning with FREQ=DAILY"),
            ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY has no meaning with FREQ=WEEKLY"),
            ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS picks from what another BY part names, and there is none"),
            ("FREQ=DAILY;UNTIL=19691231", "UNTIL '19691231' must lie in the years 1970 to 9997"),
            ("FREQ=DAILY\nEXDATE;TZID=UTC:99991231T000000", "EXDATE '99991231T000000' must lie in the years"),
            ("FREQ=DAILY\nEXDATE:tomorrow", "EXDATE 'tomorrow' is no date"),
            ("FREQ=DAILY\nEXDATE;TZID=Mars/Olympus:20260101T090000", "TZID 'Mars/Olympus': unknown time zone"),
            ("FREQ=DAILY\nRDATE:20260101", "RDATE '20260101' needs a time of day"),
            ("FREQ=DAILY\nRDATE;VALUE=PERIOD:20260101T090000/PT1H", "RDATE '20260101T090000/PT1H' is no date"),
            ("FREQ=DAILY\n" + "EXDATE:20260101T090000\n" * 500, "must have at most 10,000 characters"),
        ],
    )
    def test_what_cannot_be_read_is_refused_with_its_place(self, text: str, reason: str) -> None:
        assert refusal_of(text).startswith(reason)

    @pytest.mark.parametrize(
        "text",
        [
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=MINUTELY;BYMONTH=4;BYMONTHDAY=31",
            "FREQ=YEARLY;BYYEARDAY=1;BYMONTH=2",
            "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=6",
            "FREQ=DAILY;BYHOUR=9;BYSETPOS=2",
            "FREQ=SECONDLY;BYSECOND=0;BYSETPOS=2",
            "FREQ=YEARLY;BYWEEKNO=1;BYMONTH=6",
        ],
    )
    def test_a_rule_that_can_never_fire_is_refused(self, text: str) -> None:
        assert refusal_of(text) == "can never fire: no date and time matches all of its parts"


class TestDates:
    """Examples of RFC 5545, 3.8.5.3, among others."""

    def test_what_the_rule_does_not_say_is_taken_from_the_start(self) -> None:
        assert fires("FREQ=DAILY", "2026-01-01T09:30:07", "UTC", count=1) == ["2026-01-01T09:30+00:00"]
        rule, start, utc = parse_rrule("FREQ=HOURLY"), datetime(2026, 1, 1, 9, 30, 7), load_zone("UTC")
        assert rule.next_fire(BEFORE_ALL, start, utc) == datetime(2026, 1, 1, 9, 30, 7, tzinfo=UTC)
        assert days("FREQ=YEARLY", "2026-05-08T00:00", 2) == ["2026-05-08", "2027-05-08"]
        assert days("FREQ=YEARLY;BYMONTH=6,7", "2026-05-08T00:00", 2) == ["2026-06-08", "2026-07-08"]
        assert days("FREQ=WEEKLY", "2026-05-08T00:00", 2) == ["2026-05-08", "2026-05-15"]

    def test_a_month_without_such_a_day_has_no_instance(self) -> None:
        assert days("FREQ=MONTHLY", "2026-01-31T00:00", 4) == ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"]
        assert days("FREQ=YEARLY", "2024-02-29T00:00", 3) == ["2024-02-29", "2028-02-29", "2032-02-29"]

    def test_the_start_is_an_instance_only_where_the_rule_matches_it(self) -> None:
        assert days("FREQ=WEEKLY;BYDAY=MO", "2026-01-01T00:00", 1) == ["2026-01-05"]

    def test_plain_and_numbered_weekdays_add_up(self) -> None:
        assert days("FREQ=MONTHLY;BYDAY=1MO,-1FR", "2026-01-01T00:00", 4) == [
            "2026-01-05",
            "2026-01-30",
            "2026-02-02",
            "2026-02-27",
        ]
        assert days("FREQ=MONTHLY;BYDAY=1MO,FR", "2026-01-01T00:00", 3) == ["2026-01-02", "2026-01-05", "2026-01-09"]
        assert days("FREQ=YEARLY;BYDAY=20MO", "1997-05-19T09:00", 3) == ["1997-05-19", "1998-05-18", "1999-05-17"]

    def test_the_last_workday_of_the_month(self) -> None:
        text = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"

        assert days(text, "2026-01-01T00:00", 5) == [
            "2026-01-30",
            "2026-02-27",
            "2026-03-31",
            "2026-04-30",
            "2026-05-29",
        ]

    def test_the_third_instance_of_three_weekdays(self) -> None:
        text = "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3"

        assert days(text, "1997-09-04T09:00") == ["1997-09-04", "1997-10-07", "1997-11-06"]

    def test_the_start_of_the_week_decides_which_weeks_count(self) -> None:
        text = "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST="

        assert days(text + "MO", "1997-08-05T09:00") == ["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"]
        assert days(text + "SU", "1997-08-05T09:00") == ["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"]

    def test_a_week_belongs_to_the_year_that_its_number_counts_in(self) -> None:
        assert days("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12T09:00", 3) == [
            "1997-05-12",
            "1998-05-11",
            "1999-05-17",
        ]
        assert days("FREQ=YEARLY;BYWEEKNO=20", "1997-05-13T09:00", 2) == ["1997-05-13", "1998-05-12"]
        assert days("FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU", "2020-01-01T00:00", 2) == ["2021-01-03", "2027-01-03"]
        assert days("FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO", "2024-01-01T00:00", 3) == [
            "2024-01-01",
            "2025-12-29",
            "2028-01-03",
        ]

    def test_days_are_counted_from_the_end_too(self) -> None:
        assert days("FREQ=MONTHLY;BYMONTHDAY=-1", "2028-01-01T00:00", 3) == ["2028-01-31", "2028-02-29", "2028-03-31"]
        assert days("FREQ=YEARLY;BYYEARDAY=-1,1", "2026-01-01T00:00", 3) == ["2026-01-01", "2026-12-31", "2027-01-01"]

    def test_friday_the_13th(self) -> None:
        text = "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"

        assert days(text, "1997-09-02T09:00", 3) == ["1998-02-13", "1998-03-13", "1998-11-13"]

    def test_times_of_day_in_steps(self) -> None:
        text = "FREQ=MINUTELY;INTERVAL=90;COUNT=4"

        assert [at[11:16] for at in fires(text, "1997-09-02T09:00", "UTC")] == ["09:00", "10:30", "12:00", "13:30"]

    def test_a_leap_second_is_taken_for_the_second_before_it(self) -> None:
        rule = parse_rrule("FREQ=MINUTELY;BYSECOND=60")

        due = rule.next_fire(BEFORE_ALL, datetime(2026, 1, 1), load_zone("UTC"))

        assert due == datetime(2026, 1, 1, 0, 0, 59, tzinfo=UTC)


class TestStart:
    def test_nothing_is_due_before_the_start_and_the_start_itself_may_be(self) -> None:
        assert days("FREQ=DAILY", "2026-01-01T09:00", 1) == ["2026-01-01"]
        assert days("FREQ=DAILY;BYHOUR=8", "2026-01-01T09:00", 1) == ["2026-01-02"]

    def test_a_start_with_an_offset_is_an_instant(self) -> None:
        assert fires("FREQ=DAILY", "2026-01-01T23:30:00+00:00", count=1) == ["2026-01-02T00:30+01:00"]

    def test_a_start_in_the_second_of_two_hours_is_after_the_first(self) -> None:
        assert fires("FREQ=DAILY", "2026-10-25T02:30:00+01:00", count=1) == ["2026-10-26T02:30+01:00"]
        assert fires("FREQ=DAILY", "2026-10-25T02:30:00+02:00", count=1) == ["2026-10-25T02:30+02:00"]

    def test_fractions_of_a_second_are_cut_off(self) -> None:
        rule, utc = parse_rrule("FREQ=DAILY"), load_zone("UTC")

        for start in (datetime(2026, 1, 1, 9, 0, 0, 700), datetime(2026, 1, 1, 9, 0, 0, 700, tzinfo=UTC)):
            assert rule.next_fire(BEFORE_ALL, start, utc) == datetime(2026, 1, 1, 9, tzinfo=UTC)

    def test_without_one_it_is_the_midnight_that_began_the_day_of_creation(self) -> None:
        created = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)

        assert default_start(created, load_zone(BERLIN)) == datetime(2026, 1, 2)

    def test_a_start_far_ahead_is_found(self) -> None:
        rule = parse_rrule("FREQ=YEARLY")

        due = rule.next_fire(datetime(2026, 1, 1, tzinfo=UTC), datetime(2300, 6, 1), load_zone(BERLIN))

        assert due is not None
        assert due.year == 2300

    @pytest.mark.parametrize(
        ("text", "start"),
        [
            ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "2026-01-06T00:00"),
            ("FREQ=DAILY;UNTIL=20251231", "2026-01-01T00:00"),
            ("FREQ=DAILY;UNTIL=20251231T000000Z", "2026-01-01T00:00"),
            ("FREQ=HOURLY;INTERVAL=24;BYHOUR=9", "2026-01-01T10:00"),
            ("FREQ=YEARLY;BYMONTH=2", "2026-01-30T00:00"),
            ("FREQ=DAILY;COUNT=1\nEXDATE:20260101T000000", "2026-01-01T00:00"),
        ],
    )
    def test_a_rule_that_can_never_fire_from_its_start_on_is_refused(self, text: str, start: str) -> None:
        with pytest.raises(InvalidError, match="rrule: can never fire: from its start on"):
            parse_rrule(text).check_can_fire(datetime.fromisoformat(start), load_zone(BERLIN))

    def test_one_that_can_is_not(self) -> None:
        parse_rrule("FREQ=DAILY;INTERVAL=7;BYDAY=MO").check_can_fire(datetime(2026, 1, 5), load_zone(BERLIN))


class TestEnd:
    def test_an_until_is_included(self) -> None:
        assert days("FREQ=DAILY;UNTIL=20260103T090000", "2026-01-01T09:00") == [
            "2026-01-01",
            "2026-01-02",
            "2026-01-03",
        ]
        assert days("FREQ=DAILY;UNTIL=20260103T085959", "2026-01-01T09:00") == ["2026-01-01", "2026-01-02"]

    def test_an_until_that_is_a_date_is_all_of_that_local_day(self) -> None:
        assert (
            days("FREQ=HOURLY;INTERVAL=12;UNTIL=20260102", "2026-01-01T11:00")
            == ["2026-01-01"] * 2 + ["2026-01-02"] * 2
        )

    def test_an_until_in_utc_is_an_instant(self) -> None:
        assert len(fires("FREQ=DAILY;UNTIL=20260103T080000Z", "2026-01-01T09:00")) == 3
        assert len(fires("FREQ=DAILY;UNTIL=20260103T075959Z", "2026-01-01T09:00")) == 2

    def test_an_until_at_the_end_of_time_is_none(self) -> None:
        for until in ("99991231", "99991231T235959", "99991231T235959Z"):
            assert len(fires(f"FREQ=DAILY;UNTIL={until}", "2026-01-01T09:00")) == 6

    def test_a_count_is_used_up_from_the_start_on(self) -> None:
        text = "FREQ=DAILY;COUNT=3"

        assert days(text, "2026-01-01T09:00") == ["2026-01-01", "2026-01-02", "2026-01-03"]
        assert fires(text, "2026-01-01T09:00", after="2026-01-02T12:00") == ["2026-01-03T09:00+01:00"]
        assert fires(text, "2026-01-01T09:00", after="2026-01-03T09:00") == []

    def test_a_local_time_that_the_clock_skips_is_not_counted(self) -> None:
        assert fires("FREQ=DAILY;COUNT=3", "2026-03-28T02:30") == [
            "2026-03-28T02:30+01:00",
            "2026-03-30T02:30+02:00",
            "2026-03-31T02:30+02:00",
        ]

    def test_with_a_policy_that_moves_it_it_is_counted(self) -> None:
        assert fires("FREQ=DAILY;COUNT=3", "2026-03-28T02:30", change=ClockChange()) == [
            "2026-03-28T02:30+01:00",
            "2026-03-29T03:00+02:00",
            "2026-03-30T02:30+02:00",
        ]

    def test_excluded_times_are_counted_and_added_ones_are_not(self) -> None:
        text = "FREQ=DAILY;COUNT=3\nEXDATE:20260102T090000\nRDATE:20260110T120000"

        assert days(text, "2026-01-01T09:00") == ["2026-01-01", "2026-01-03", "2026-01-10"]


class TestExdateAndRdate:
    def test_local_times_are_those_of_the_schedules_zone(self) -> None:
        text = "FREQ=DAILY;COUNT=3\nEXDATE:20260102T090000,20260103T000000"

        assert days(text, "2026-01-01T09:00") == ["2026-01-01", "2026-01-03"]

    def test_instants_and_other_zones_are_converted(self) -> None:
        text = "FREQ=DAILY;COUNT=4\nEXDATE:20260102T080000Z\nEXDATE;TZID=America/New_York:20260103T030000"

        assert [at[:10] for at in fires(text, "2026-01-01T09:00")] == ["2026-01-01", "2026-01-04"]

    def test_the_schedules_own_zone_named_is_as_if_it_were_not(self) -> None:
        text = "FREQ=DAILY;COUNT=3\nEXDATE;TZID=Europe/Berlin:20260329T023000"

        assert fires(text, "2026-03-28T02:30", change=ClockChange()) == [
            "2026-03-28T02:30+01:00",
            "2026-03-30T02:30+02:00",
        ]

    def test_an_exdate_that_is_a_date_takes_the_whole_day(self) -> None:
        text = "FREQ=HOURLY;INTERVAL=8;COUNT=9\nEXDATE;VALUE=DATE:20260102"

        assert days(text, "2026-01-01T00:00") == ["2026-01-01"] * 3 + ["2026-01-03"] * 3

    def test_added_times_are_merged_in_order_and_once(self) -> None:
        text = "FREQ=DAILY;COUNT=2\nRDATE:20260101T180000,20260102T090000\nRDATE:20260102T080000Z,20260101T200000Z"

        assert fires(text, "2026-01-01T09:00") == [
            "2026-01-01T09:00+01:00",
            "2026-01-01T18:00+01:00",
            "2026-01-01T21:00+01:00",
            "2026-01-02T09:00+01:00",
        ]

    def test_what_is_added_before_the_start_is_none(self) -> None:
        text = "FREQ=DAILY;COUNT=1\nRDATE:20251231T090000,20251230T080000Z"

        assert days(text, "2026-01-01T09:00") == ["2026-01-01"]

    def test_an_exdate_takes_from_what_is_added(self) -> None:
        text = "FREQ=DAILY;COUNT=1\nRDATE:20260105T090000,20260106T090000\nEXDATE:20260105T090000"

        assert days(text, "2026-01-01T09:00") == ["2026-01-01", "2026-01-06"]


class TestClockChanges:
    def test_without_a_policy_a_skipped_time_is_no_instance_and_a_repeated_one_its_first(self) -> None:
        assert fires("FREQ=DAILY", "2026-03-28T02:30", count=2) == ["2026-03-28T02:30+01:00", "2026-03-30T02:30+02:00"]
        assert fires("FREQ=DAILY", "2026-10-24T02:30", count=3) == [
            "2026-10-24T02:30+02:00",
            "2026-10-25T02:30+02:00",
            "2026-10-26T02:30+01:00",
        ]

    def test_hourly_is_hourly_in_local_time(self) -> None:
        assert fires("FREQ=HOURLY", "2026-03-29T01:00", count=2) == ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"]
        assert fires("FREQ=HOURLY", "2026-10-25T02:00", count=2) == ["2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00"]

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (ClockChange(Gap.SHIFT), "2026-03-29T03:30+02:00"),
            (ClockChange(Gap.NEXT_VALID), "2026-03-29T03:00+02:00"),
            (ClockChange(Gap.SKIP), "2026-03-30T02:30+02:00"),
        ],
    )
    def test_a_policy_is_the_rule(self, change: ClockChange, expected: str) -> None:
        assert fires("FREQ=DAILY", "2026-03-28T02:30", after="2026-03-28T12:00", change=change)[0] == expected

    @pytest.mark.parametrize(
        ("zone", "start", "expected"),
        [
            ("America/New_York", "2026-03-08T02:30", "2026-03-09T02:30-04:00"),
            ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-05T02:15+11:00"),
            ("America/Santiago", "2026-09-06T00:00", "2026-09-07T00:00-03:00"),
            ("Africa/Casablanca", "2026-03-22T02:30", "2026-03-23T02:30+01:00"),
            ("Asia/Kathmandu", "1986-01-01T00:05", "1986-01-02T00:05+05:45"),
            ("Pacific/Apia", "2011-12-30T09:00", "2011-12-31T09:00+14:00"),
        ],
    )
    def test_a_start_in_a_gap_is_no_instance(self, zone: str, start: str, expected: str) -> None:
        assert fires("FREQ=DAILY", start, zone, count=1) == [expected]


ODD_ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Apia",
)
TEXTS = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3;BYHOUR=0,2,3,23;BYMINUTE=0,30",
    "FREQ=HOURLY;INTERVAL=5",
    "FREQ=MINUTELY;INTERVAL=35",
    "FREQ=WEEKLY;BYDAY=SU,SA;BYHOUR=1,2;BYMINUTE=15",
    "FREQ=MONTHLY;BYDAY=SU;BYHOUR=2;BYMINUTE=10,40;BYSETPOS=1,-1",
    "FREQ=YEARLY;BYMONTH=3,4,10,12;BYDAY=-1SU,1SU;BYHOUR=2;BYMINUTE=30",
)
POLICIES = [None, *(ClockChange(gap, overlap) for gap in Gap for overlap in Overlap)]


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(TEXTS),
    zone_name=st.sampled_from(ODD_ZONES),
    start=st.datetimes(datetime(1985, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(microsecond=0)),
    policy=st.sampled_from(POLICIES),
    length=st.integers(1, 500),
)
def test_due_times_are_the_instances_placed_one_by_one(
    text: str, zone_name: str, start: datetime, policy: ClockChange | None, length: int
) -> None:
    zone, rule = load_zone(zone_name), parse_rrule(text)
    low, high = start.replace(tzinfo=UTC) - timedelta(days=3), start.replace(tzinfo=UTC) + timedelta(days=length)
    walls = rule.recurrence.walls(start, start, start + timedelta(days=length + 3))
    placed = {at for wall in walls for at in place(wall, zone, policy or ClockChange(Gap.SKIP, Overlap.FIRST))}

    found = list(rule.between(low, high, start, zone, policy))

    assert found == sorted(at for at in placed if low < at <= high)
    assert all(earlier < later for earlier, later in pairwise(found))


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from([text for text in TEXTS if text != TEXTS[-1]]),
    zone_name=st.sampled_from(ODD_ZONES),
    count=st.integers(1, 40),
    policy=st.sampled_from(POLICIES),
    start=st.datetimes(datetime(2008, 1, 1), datetime(2030, 1, 1)),
)
def test_a_count_is_the_first_so_many_due_times(
    text: str, zone_name: str, count: int, policy: ClockChange | None, start: datetime
) -> None:
    zone = load_zone(zone_name)
    endless = parse_rrule(text).between(BEFORE_ALL, AFTER_ALL, start, zone, policy)
    expected = list(islice(endless, count))
    counted = parse_rrule(f"{text};COUNT={count}")

    assert list(counted.between(BEFORE_ALL, AFTER_ALL, start, zone, policy)) == expected
    assert counted.next_fire(expected[-1], start, zone, policy) is None
    assert counted.next_fire(expected[-1] - timedelta(seconds=1), start, zone, policy) == expected[-1]


VALUES = st.sampled_from(["0", "1", "-1", "53", "-366", "MO", "-1FR", "20260101", "20260329T023000Z", "", "x"])
NAMES = ["FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY"]
PARTS = st.tuples(
    st.sampled_from([*NAMES, "BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS"]),
    st.lists(VALUES, min_size=1, max_size=2).map(",".join),
).map("=".join)
LINES = st.tuples(
    st.sampled_from(["EXDATE:", "RDATE:", "EXDATE;VALUE=DATE:", "RDATE;TZID=Asia/Tokyo:", "DTSTART:", ":", ""]), VALUES
).map("".join)


@settings(max_examples=400, deadline=None)
@given(
    frequency=st.sampled_from(Frequency),
    parts=st.lists(PARTS, max_size=3),
    lines=st.lists(LINES, max_size=2),
    after=st.datetimes(datetime(1970, 1, 2), datetime(9990, 1, 1), timezones=st.just(UTC)),
)
def test_any_text_is_refused_or_has_a_next_fire_or_none(
    frequency: Frequency, parts: list[str], lines: list[str], after: datetime
) -> None:
    try:
        rule = parse_rrule("\n".join([";".join([f"FREQ={frequency.name}", *parts]), *lines]))
    except InvalidError:
        return

    due = rule.next_fire(after, datetime(2026, 1, 31, 2, 30), load_zone(BERLIN))

    assert due is None or due > after


@pytest.mark.parametrize("text", ["FREQ=MINUTELY", "FREQ=SECONDLY", "FREQ=HOURLY;INTERVAL=7", "FREQ=YEARLY"])
def test_twenty_years_after_its_start_the_next_fire_is_found(text: str) -> None:
    rule, zone, start = parse_rrule(text), load_zone(BERLIN), datetime(2006, 1, 1)
    after = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    following = rule.next_fire(after, start, zone)

    assert following is not None
    assert following > after
