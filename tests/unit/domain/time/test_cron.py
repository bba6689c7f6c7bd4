from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.domain.errors import InvalidError
from rota.domain.time.cron import CronExpression, parse_cron
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


def fires(text: str, zone: str, after: str, count: int, change: ClockChange | None = None) -> list[str]:
    """The next due times, as the clock in `zone` reads them."""
    tz = load_zone(zone)
    start = datetime.fromisoformat(after).replace(tzinfo=tz).astimezone(UTC)
    found = islice(parse_cron(text).between(start, start + 50 * YEAR, tz, change), count)
    return [at.astimezone(tz).isoformat(timespec="minutes") for at in found]


def dates_of(text: str, year: int = 2026) -> set[date]:
    """The days of a year on which the expression is due."""
    start = datetime(year, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
    return {at.date() for at in parse_cron(text).between(start, start + YEAR, load_zone("UTC"))}


def times_of(text: str) -> list[str]:
    """The times of 1 January 2026 at which the expression is due."""
    start = NEW_YEAR - timedelta(seconds=1)
    found = parse_cron(text).between(start, start + timedelta(days=1), load_zone("UTC"))
    return [at.time().isoformat() for at in found]


class TestDialect:
    @pytest.mark.parametrize(
        ("text", "times"),
        [
            ("30 9 * * *", ["09:30:00"]),
            ("0 9,17 * * *", ["09:00:00", "17:00:00"]),
            ("0,30 8-9 * * *", ["08:00:00", "08:30:00", "09:00:00", "09:30:00"]),
            ("*/20 6 * * *", ["06:00:00", "06:20:00", "06:40:00"]),
            ("10-50/20 6 * * *", ["06:10:00", "06:30:00", "06:50:00"]),
            ("40/10 6 * * *", ["06:40:00", "06:50:00"]),
            ("0 */8 * * *", ["00:00:00", "08:00:00", "16:00:00"]),
            ("15,45 30 9 * * *", ["09:30:15", "09:30:45"]),
            ("  0\t9  * * * ", ["09:00:00"]),
        ],
    )
    def test_lists_ranges_and_steps_and_seconds_first(self, text: str, times: list[str]) -> None:
        assert times_of(text) == times

    def test_a_range_with_equal_ends_is_that_one_value(self) -> None:
        assert times_of("0 9-9 * * *") == ["09:00:00"]
        assert times_of("0 9-09/5 * * *") == ["09:00:00"]

    def test_a_range_may_wrap_round_and_keeps_its_steps(self) -> None:
        hours = [time[:2] for time in times_of("0 21-5/2 * * *")]

        assert hours == ["01", "03", "05", "21", "23"]
        assert dates_of("0 0 1 nov-feb *") == {date(2026, month, 1) for month in (1, 2, 11, 12)}

    def test_a_full_range_of_weekdays_reaches_sunday_either_way(self) -> None:
        assert dates_of("0 0 * * 5-7") == dates_of("0 0 * * fri-sun") == dates_of("0 0 * * 0,5,6")
        assert len(dates_of("0 0 * * 0-7")) == 365
        assert dates_of("0 0 * * 7-7") == dates_of("0 0 * * sun")

    def test_names_stand_for_months_and_weekdays_in_any_case(self) -> None:
        assert dates_of("0 0 * JAN,Mar Mon") == dates_of("0 0 * 1,3 1")
        assert dates_of("0 0 * * 0") == dates_of("0 0 * * 7") == dates_of("0 0 * * SUN")

    def test_l_is_the_last_day_of_the_month(self) -> None:
        assert dates_of("0 0 L * *") >= {date(2026, 2, 28), date(2026, 4, 30), date(2026, 12, 31)}
        assert len(dates_of("0 0 L * *")) == 12
        assert date(2028, 2, 29) in dates_of("0 0 15,L * *", 2028)

    @pytest.mark.parametrize("text", ["0 0 * * 5L", "0 0 * * L5", "0 0 * * l5"])
    def test_5l_is_the_last_friday_of_the_month(self, text: str) -> None:
        found = dates_of(text)

        assert len(found) == 12
        assert {date(2026, 1, 30), date(2026, 2, 27), date(2026, 5, 29)} <= found

    def test_the_last_sunday_may_be_called_0_or_7(self) -> None:
        assert dates_of("0 0 * * 7L") == dates_of("0 0 * * 0L")
        assert date(2026, 3, 29) in dates_of("0 0 * * 7L")

    def test_5_hash_3_is_the_third_friday_of_the_month(self) -> None:
        assert date(2026, 1, 16) in dates_of("0 0 * * 5#3")
        assert dates_of("0 0 * * fri#3") == dates_of("0 0 * * 5#3")
        assert dates_of("0 0 * * 5#3,5L") == dates_of("0 0 * * 5#3") | dates_of("0 0 * * 5L")

    @pytest.mark.parametrize(
        ("nickname", "text"),
        [
            ("@yearly", "0 0 1 1 *"),
            ("@annually", "0 0 1 1 *"),
            ("@monthly", "0 0 1 * *"),
            ("@weekly", "0 0 * * 0"),
            ("@daily", "0 0 * * *"),
            ("@midnight", "0 0 * * *"),
            ("@Hourly", "0 * * * *"),
        ],
    )
    def test_nicknames_are_what_they_are_in_cron(self, nickname: str, text: str) -> None:
        assert parse_cron(nickname).days == parse_cron(text).days
        assert parse_cron(nickname).hours == parse_cron(text).hours
        assert parse_cron(nickname).default_change == parse_cron(text).default_change

    def test_an_expression_is_read_once_and_equals_another_of_the_same_text(self) -> None:
        parsed = parse_cron("0 9 * * 1-5")

        assert parse_cron("0 9 * * 1-5") is parsed
        assert hash(parse_cron.__wrapped__("0 9 * * 1-5")) == hash(parsed)
        assert parse_cron.__wrapped__("0 9 * * 1-5") == parsed


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "must have five fields, or six with seconds first, not 0"),
            ("* * * *", "must have five fields, or six with seconds first, not 4"),
            ("0 0 0 1 1 * 2026", "must have five fields, or six with seconds first, not 7"),
            ("0\u00a00 * * *", "must have five fields, or six with seconds first, not 4"),
            ("60 * * * *", "60 in the minute field is not in 0..59"),
            ("0 24 * * *", "24 in the hour field is not in 0..23"),
            ("0 0 0 * *", "0 in the day-of-month field is not in 1..31"),
            ("0 0 * 13 *", "13 in the month field is not in 1..12"),
            ("0 0 * * 8", "8 in the day-of-week field is not in 0..7"),
            ("0 0 * * 8L", "8 in the day-of-week field is not in 0..7"),
            ("0 0 * * 8#1", "8 in the day-of-week field is not in 0..7"),
            ("60 0 0 * * *", "60 in the second field is not in 0..59"),
            ("70-5 * * * *", "70 in the minute field is not in 0..59"),
            ("*/0 * * * *", "cannot read '*/0' in the minute field"),
            ("-5 * * * *", "cannot read '-5' in the minute field"),
            ("1,,2 * * * *", "cannot read '' in the minute field"),
            ("1.5 * * * *", "cannot read '1.5' in the minute field"),
            ("mon * * * *", "cannot read 'mon' in the minute field"),
            ("0 0 * * monday", "cannot read 'monday' in the day-of-week field"),
            ("٣ * * * *", "cannot read '٣' in the minute field"),
            ("0 0 L-3 * *", "cannot read 'l-3' in the day-of-month field"),
            ("0 0 * * L", "cannot read 'l' in the day-of-week field"),
            ("0 0 * * 5#6", "cannot read '5#6' in the day-of-week field"),
            ("0 0 * * 1-3#2", "cannot read '1-3#2' in the day-of-week field"),
            ("0 0 * * 1#1,1", "'1#1,1' in the day-of-week field mixes whole weekdays with `L` or `#`"),
            ("0 0 * * 5L,1", "'5l,1' in the day-of-week field mixes whole weekdays with `L` or `#`"),
            ("0 0 ? * 1", "cannot read '?' in the day-of-month field: write `*` for any"),
            ("R * * * *", "cannot read 'r' in the minute field: `R` and `H` are refused, because a due time is known"),
            ("H(0-9)/3 * * * *", "cannot read 'h(0-9)/3' in the minute field: `R` and `H` are refused"),
            ("0 0 15W * *", "cannot read '15w' in the day-of-month field: `W`, the nearest workday, is not supported"),
            ("0 0 LW * *", "cannot read 'lw' in the day-of-month field: `W`, the nearest workday, is not supported"),
            ("@reboot", "'@reboot' is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly"),
            ("@every 5m", "'@every' is none of @yearly"),
            ("0 0 30 2 *", "can never fire: there is no such date"),
            ("0 0 31 2,4,6,9,11 *", "can never fire: there is no such date"),
            ("0 0 30 2 */2", "can never fire: there is no such date"),
            ("0," * 600 + "0 * * * *", "must have at most 1000 characters"),
        ],
    )
    def test_what_is_refused_says_why(self, text: str, message: str) -> None:
        with pytest.raises(InvalidError) as refusal:
            parse_cron(text)

        [fault] = refusal.value.faults
        assert fault.field == "cron"
        assert fault.message.startswith(message)

    @settings(max_examples=200, deadline=None)
    @given(text=st.text(st.sampled_from("0159*/-,#LWRH?@monjan "), max_size=20))
    def test_no_text_does_worse_than_to_be_refused(self, text: str) -> None:
        try:
            expression = parse_cron(text)
        except InvalidError:
            return

        assert expression.next_fire(NEW_YEAR, load_zone("Europe/Berlin")) is not None


class TestDays:
    FIRSTS = frozenset(date(2026, month, 1) for month in range(1, 13))
    MONDAYS = frozenset(date(2026, 1, 5) + timedelta(weeks=week) for week in range(52))

    def test_two_fixed_day_fields_are_joined_by_or(self) -> None:
        assert dates_of("0 0 1 * 1") == self.FIRSTS | self.MONDAYS

    def test_a_star_in_one_of_them_leaves_the_other_to_decide(self) -> None:
        assert dates_of("0 0 * * 1") == self.MONDAYS
        assert dates_of("0 0 1 * *") == self.FIRSTS

    def test_a_field_that_begins_with_a_star_joins_by_and(self) -> None:
        odd_days = {day for day in self.MONDAYS if day.day % 2 == 1}

        assert dates_of("0 0 */2 * 1") == odd_days
        assert dates_of("0 0 1 * */2") == {day for day in self.FIRSTS if day.isoweekday() % 7 in (0, 2, 4, 6)}

    def test_a_full_range_is_no_star_and_joins_by_or(self) -> None:
        assert len(dates_of("0 0 1-31 * 1")) == 365
        assert len(dates_of("0 0 1 * 0-6")) == 365
        assert dates_of("0 0 1-30/2 * 1") > {day for day in self.MONDAYS if day.day % 2 == 1}

    def test_the_last_day_joins_like_any_other(self) -> None:
        assert dates_of("0 0 L * 1") == dates_of("0 0 L * *") | self.MONDAYS


class TestNextFire:
    def test_it_is_strictly_later(self) -> None:
        zone, daily = load_zone("UTC"), parse_cron("0 9 * * *")
        nine = datetime(2026, 1, 1, 9, tzinfo=UTC)

        assert daily.next_fire(nine - timedelta(microseconds=1), zone) == nine
        assert daily.next_fire(nine, zone) == nine + timedelta(days=1)
        assert daily.next_fire(nine + timedelta(microseconds=1), zone) == nine + timedelta(days=1)

    def test_the_rarest_date_is_found_forty_years_off(self) -> None:
        leap_sunday = parse_cron("0 0 29 2 */7")

        assert leap_sunday.next_fire(datetime(2088, 3, 1, tzinfo=UTC), load_zone("UTC")) == datetime(
            2128, 2, 29, tzinfo=UTC
        )

    def test_nothing_comes_after_the_end_of_the_time_line(self) -> None:
        end = datetime(9998, 6, 30, 12, tzinfo=UTC)

        assert parse_cron("0 * * * *").next_fire(end, load_zone("UTC")) == end + timedelta(hours=1)
        assert parse_cron("0 0 1 1 *").next_fire(end, load_zone("UTC")) is None
        assert parse_cron("* * * * *").next_fire(datetime.max.replace(tzinfo=UTC), load_zone("Asia/Tokyo")) is None

    def test_the_time_line_begins_with_1900(self) -> None:
        dawn = datetime.min.replace(tzinfo=UTC)

        assert parse_cron("0 * * * *").next_fire(dawn, load_zone("UTC")) == datetime(1900, 1, 1, 1, tzinfo=UTC)

    def test_between_holds_its_end_and_not_its_beginning(self) -> None:
        found = parse_cron("* * * * * *").between(NEW_YEAR, NEW_YEAR + timedelta(hours=1), load_zone("Europe/Berlin"))

        assert list(found) == [NEW_YEAR + timedelta(seconds=n) for n in range(1, 3601)]

    def test_local_times_hold_their_beginning_and_not_their_end(self) -> None:
        hourly, nine = parse_cron("0 * * * *"), datetime(2026, 1, 1, 9)

        assert list(hourly.walls(nine, nine + timedelta(hours=1))) == [nine]
        assert list(hourly.walls(nine + timedelta(microseconds=1), nine + timedelta(hours=1))) == []
        assert list(hourly.walls(nine, nine)) == []

    def test_between_nothing_and_nothing_is_nothing(self) -> None:
        assert list(parse_cron("* * * * *").between(NEW_YEAR, NEW_YEAR, load_zone("UTC"))) == []
        assert list(parse_cron("* * * * *").between(NEW_YEAR, NEW_YEAR - YEAR, load_zone("UTC"))) == []


class TestClockChangesByDefault:
    """With no `dst`: cron(8) of Debian."""

    def test_a_fixed_time_in_a_gap_is_due_at_the_first_instant_after_it(self) -> None:
        assert fires("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == [
            "2026-03-29T03:00+02:00",
            "2026-03-30T02:30+02:00",
        ]

    def test_fixed_times_that_fall_on_one_instant_are_one_due_time(self) -> None:
        assert fires("0,15,30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", 4) == [
            "2026-03-29T03:00+02:00",
            "2026-03-29T03:15+02:00",
            "2026-03-29T03:30+02:00",
            "2026-03-30T02:00+02:00",
        ]

    def test_a_fixed_time_in_an_overlap_is_due_at_its_first_reading(self) -> None:
        assert fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == [
            "2026-10-25T02:30+02:00",
            "2026-10-26T02:30+01:00",
        ]

    def test_a_fixed_time_is_not_due_again_while_the_overlap_is_read_anew(self) -> None:
        second_reading = datetime(2026, 10, 25, 1, 5, tzinfo=UTC)

        due = parse_cron("0-50/10 0-5 * * *").next_fire(second_reading, load_zone("Europe/Berlin"))

        assert due == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["30 * * * *", "30 */1 * * *", "@hourly"])
    def test_a_star_in_the_hour_is_due_at_every_reading(self, text: str) -> None:
        minute = 0 if text == "@hourly" else 30

        spring = fires(text, "Europe/Berlin", "2026-03-29T01:00", 3)
        autumn = fires(text, "Europe/Berlin", "2026-10-25T01:45", 3)

        assert f"2026-03-29T03:{minute:02}+02:00" in spring
        assert not any(due.startswith("2026-03-29T02") for due in spring)
        assert autumn == [
            f"2026-10-25T02:{minute:02}+02:00",
            f"2026-10-25T02:{minute:02}+01:00",
            f"2026-10-25T03:{minute:02}+01:00",
        ]

    def test_a_star_in_the_minute_is_due_at_every_reading(self) -> None:
        assert fires("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 1) == ["2026-03-30T02:00+02:00"]
        assert fires("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 5) == [
            "2026-10-25T02:00+02:00",
            "2026-10-25T02:30+02:00",
            "2026-10-25T02:00+01:00",
            "2026-10-25T02:30+01:00",
            "2026-10-26T02:00+01:00",
        ]

    def test_with_seconds_the_minute_and_hour_still_decide(self) -> None:
        assert fires("*/20 30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == [
            "2026-03-29T03:00+02:00",
            "2026-03-30T02:30+02:00",
        ]
        assert len(fires("*/20 30 2 * * *", "Europe/Berlin", "2026-10-25T01:00", 3)) == 3
        assert fires("0 */30 2 * * *", "Europe/Berlin", "2026-10-25T01:00", 3)[2] == "2026-10-25T02:00+01:00"

    def test_a_full_range_is_no_star(self) -> None:
        assert fires("30 0-23 * * *", "Europe/Berlin", "2026-10-25T01:45", 2) == [
            "2026-10-25T02:30+02:00",
            "2026-10-25T03:30+01:00",
        ]


class TestOddZones:
    def test_lord_howe_changes_by_half_an_hour(self) -> None:
        assert fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", 1) == ["2026-10-04T02:30+11:00"]
        assert fires("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", 2) == [
            "2026-04-05T01:45+11:00",
            "2026-04-06T01:45+10:30",
        ]
        assert fires("45 * * * *", "Australia/Lord_Howe", "2026-04-05T01:00", 2) == [
            "2026-04-05T01:45+11:00",
            "2026-04-05T01:45+10:30",
        ]

    def test_santiago_skips_midnight(self) -> None:
        assert fires("0 0 * * *", "America/Santiago", "2026-09-05T12:00", 2) == [
            "2026-09-06T01:00-03:00",
            "2026-09-07T00:00-03:00",
        ]

    def test_santiago_repeats_the_last_hour_of_a_saturday(self) -> None:
        assert fires("30 23 * * 6", "America/Santiago", "2026-04-04T12:00", 2) == [
            "2026-04-04T23:30-03:00",
            "2026-04-11T23:30-04:00",
        ]

    def test_casablanca_puts_its_clock_back_for_ramadan(self) -> None:
        assert fires("30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00", 2) == [
            "2026-02-15T02:30+01:00",
            "2026-02-16T02:30+00:00",
        ]
        assert fires("30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00", 1) == ["2026-03-22T03:00+01:00"]

    def test_apia_had_no_30_december_2011_and_its_times_fall_on_the_midnight_after(self) -> None:
        assert fires("0 9 * * *", "Pacific/Apia", "2011-12-29T08:00", 3) == [
            "2011-12-29T09:00-10:00",
            "2011-12-31T00:00+14:00",
            "2011-12-31T09:00+14:00",
        ]
        assert fires("0 * * * *", "Pacific/Apia", "2011-12-29T22:30", 2) == [
            "2011-12-29T23:00-10:00",
            "2011-12-31T00:00+14:00",
        ]
        assert fires("0 9 30 12 *", "Pacific/Apia", "2011-01-01T00:00", 2) == [
            "2011-12-31T00:00+14:00",
            "2012-12-30T09:00+14:00",
        ]

    def test_kathmandu_is_a_quarter_past_everyone_else(self) -> None:
        after = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)

        assert parse_cron("0 9 * * *").next_fire(after, load_zone("Asia/Kathmandu")) == datetime(
            2026, 1, 1, 3, 15, tzinfo=UTC
        )


class TestClockChangesByPolicy:
    def test_shift_moves_a_time_past_later_ones_and_the_order_still_holds(self) -> None:
        shift = ClockChange(gap=Gap.SHIFT)

        assert fires("20,35 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", 3, shift) == [
            "2026-10-04T02:35+11:00",
            "2026-10-04T02:50+11:00",
            "2026-10-05T02:20+11:00",
        ]

    def test_shifted_times_that_meet_others_are_one_due_time(self) -> None:
        shift = ClockChange(gap=Gap.SHIFT)

        assert fires("40 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", 3, shift) == [
            "2026-03-29T03:40+02:00",
            "2026-03-30T02:40+02:00",
            "2026-03-30T03:40+02:00",
        ]

    def test_a_shifted_time_is_still_to_come_when_its_gap_is_over(self) -> None:
        shift = ClockChange(gap=Gap.SHIFT)

        assert fires("40 2 29 3 *", "Europe/Berlin", "2026-03-29T03:20", 1, shift) == ["2026-03-29T03:40+02:00"]

    def test_skip_leaves_a_skipped_time_out(self) -> None:
        skip = ClockChange(gap=Gap.SKIP)

        assert fires("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 1, skip) == ["2026-03-30T02:30+02:00"]

    def test_last_and_both_reach_the_second_reading(self) -> None:
        last, both = ClockChange(overlap=Overlap.LAST), ClockChange(overlap=Overlap.BOTH)

        assert fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 1, last) == ["2026-10-25T02:30+01:00"]
        assert fires("0,30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 4, both) == [
            "2026-10-25T02:00+02:00",
            "2026-10-25T02:30+02:00",
            "2026-10-25T02:00+01:00",
            "2026-10-25T02:30+01:00",
        ]

    def test_a_policy_rules_expressions_with_a_star_too(self) -> None:
        first = ClockChange(overlap=Overlap.FIRST)

        assert fires("30 * * * *", "Europe/Berlin", "2026-10-25T01:45", 2, first) == [
            "2026-10-25T02:30+02:00",
            "2026-10-25T03:30+01:00",
        ]


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions that cronsim reads as Rota does: no wrapped ranges, no `5-5/2` (to cronsim `5/2`)."""

    def column(low: int, high: int, *more: str) -> str:
        number = st.integers(low, high)
        span = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted)
        written: str = draw(
            st.one_of(
                st.just("*"),
                st.integers(2, high).map(lambda step: f"*/{step}"),
                st.lists(number, min_size=1, max_size=3).map(lambda values: ",".join(map(str, values))),
                span.map(lambda ends: f"{ends[0]}-{ends[1]}"),
                st.tuples(span, st.integers(1, 9)).map(lambda it: f"{it[0][0]}-{it[0][1]}/{it[1]}"),
                *(st.just(text) for text in more),
            )
        )
        return written

    time = f"{column(0, 59)} {column(0, 23)}"
    return f"{time} {column(1, 28, 'L')} {column(1, 12)} {column(0, 6, '5L', '1#1', '7#5', 'mon', '6-7')}"


class TestAwayFromClockChanges:
    @settings(max_examples=150, deadline=None)
    @given(text=expressions(), after=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))
    def test_another_library_finds_the_same_due_times(self, text: str, after: datetime) -> None:
        start = after.replace(tzinfo=UTC)
        theirs = list(islice(CronSim(text, start), 5))
        if not theirs:
            with pytest.raises(InvalidError, match="can never fire"):
                parse_cron(text)
            return

        assert walk(parse_cron(text), start, load_zone("UTC"), 5) == theirs


def walk(expression: CronExpression, after: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
    found: list[datetime] = []
    for _ in range(count):
        due = expression.next_fire(found[-1] if found else after, zone)
        assert due is not None
        found.append(due)
    return found
