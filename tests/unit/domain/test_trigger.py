from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, timezone
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.domain.calendars.business_days import BusinessDay, Period
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.open_days import OpenDays
from rota.domain.errors import InvalidError
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone
from rota.domain.trigger import Cron, FixedRate, Ground, OnBusinessDay, OneShot, Rrule, Trigger, check_can_fire

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def next_fire(trigger: Trigger, zone: str, anchor: datetime, after: datetime) -> datetime | None:
    return trigger.next_fire(after, Ground(load_zone(zone), anchor))


def fires_between(
    trigger: Trigger, zone: str, anchor: datetime, after: datetime, until: datetime
) -> Iterator[datetime]:
    return trigger.fires_between(after, until, Ground(load_zone(zone), anchor))


def after_noon(trigger: Trigger, zone: str = BERLIN, anchor: datetime = NOON) -> datetime | None:
    return next_fire(trigger, zone, anchor, NOON)


def faults_of(refusal: pytest.ExceptionInfo[InvalidError]) -> list[tuple[str, str]]:
    return [(fault.field, fault.message) for fault in refusal.value.faults]


class TestCron:
    def test_it_is_due_in_the_local_time_of_the_zone(self) -> None:
        assert after_noon(Cron("0 9 * * *")) == datetime(2026, 5, 5, 7, tzinfo=UTC)
        assert after_noon(Cron("0 9 * * *"), "Asia/Kathmandu") == datetime(2026, 5, 5, 3, 15, tzinfo=UTC)

    def test_it_is_strictly_later_to_the_microsecond(self) -> None:
        minutely = Cron("* * * * *")

        assert next_fire(minutely, BERLIN, NOON, NOON - timedelta(microseconds=1)) == NOON
        assert next_fire(minutely, BERLIN, NOON, NOON) == NOON + timedelta(minutes=1)
        assert next_fire(minutely, BERLIN, NOON, NOON + timedelta(microseconds=1)) == NOON + timedelta(minutes=1)

    def test_with_seconds_it_is_strictly_later_to_the_second(self) -> None:
        half_past = NOON + timedelta(seconds=30.5)

        assert next_fire(Cron("* * * * * *"), BERLIN, NOON, half_past) == NOON + timedelta(seconds=31)

    def test_a_clock_change_policy_replaces_the_default(self) -> None:
        before = datetime(2026, 10, 24, 12, tzinfo=UTC)
        daily, last = Cron("30 2 * * *"), Cron("30 2 * * *", ClockChange(overlap=Overlap.LAST))

        assert next_fire(daily, BERLIN, NOON, before) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        assert next_fire(last, BERLIN, NOON, before) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

    def test_equal_expressions_share_one_answer_whatever_their_anchor(self) -> None:
        moments = [NOON + timedelta(milliseconds=n) for n in range(100)]

        answers = {id(next_fire(Cron("17 3 * * 2"), BERLIN, moment, moment)) for moment in moments}

        assert len(answers) == 1

    def test_it_is_refused_as_the_expression_is(self) -> None:
        with pytest.raises(InvalidError) as refusal:
            Cron("0 25 * * *")

        assert faults_of(refusal) == [("cron", "25 in the hour field is not in 0..23")]


class TestOneShot:
    def test_it_is_due_once(self) -> None:
        due = NOON + timedelta(hours=1)

        assert after_noon(OneShot(due)) == due
        assert next_fire(OneShot(due), BERLIN, NOON, due) is None

    def test_its_time_may_lie_before_the_schedule_was_made(self) -> None:
        past = NOON - timedelta(days=30)

        assert next_fire(OneShot(past), BERLIN, NOON, past - timedelta(days=1)) == past
        assert after_noon(OneShot(past)) is None

    def test_a_time_with_an_offset_is_that_instant_in_any_zone(self) -> None:
        offset = timezone(timedelta(hours=-7))

        assert after_noon(OneShot(datetime(2026, 5, 4, 6, 30, tzinfo=offset))) == datetime(
            2026, 5, 4, 13, 30, tzinfo=UTC
        )

    @pytest.mark.parametrize(
        ("local", "instant"),
        [
            ("2026-07-01T09:00", "2026-07-01T09:00+02:00"),
            ("2027-03-28T02:30", "2027-03-28T03:00+02:00"),
            ("2026-10-25T02:30", "2026-10-25T02:30+02:00"),
        ],
    )
    def test_a_local_time_is_after_a_gap_and_the_first_of_an_overlap(self, local: str, instant: str) -> None:
        assert after_noon(OneShot(datetime.fromisoformat(local))) == datetime.fromisoformat(instant)

    @pytest.mark.parametrize("year", [1, 1969, 9998, 9999])
    def test_a_year_off_the_time_line_is_refused(self, year: int) -> None:
        with pytest.raises(InvalidError) as refusal:
            OneShot(datetime(year, 1, 1))

        assert faults_of(refusal) == [("startAt", "must lie in the years 1970 to 9997")]

    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
    @pytest.mark.parametrize("local", [datetime(1970, 1, 1), datetime(9997, 12, 31, 23, 59, 59)])
    def test_every_year_that_is_accepted_has_its_instant(self, zone: str, local: datetime) -> None:
        assert next_fire(OneShot(local), zone, NOON, datetime.min.replace(tzinfo=UTC)) is not None


class TestFixedRate:
    def test_it_is_due_at_its_anchor_and_then_every_so_often(self) -> None:
        rate = FixedRate(timedelta(minutes=90), anchor_at=NOON)
        just_before = NOON - timedelta(microseconds=1)

        found = islice(fires_between(rate, BERLIN, NOON, just_before, NOON + timedelta(days=1)), 3)

        assert list(found) == [NOON, NOON + timedelta(minutes=90), NOON + timedelta(hours=3)]

    def test_nothing_is_due_before_its_anchor(self) -> None:
        anchor = NOON + timedelta(days=9)

        assert after_noon(FixedRate(timedelta(seconds=1), anchor_at=anchor)) == anchor

    def test_without_an_anchor_of_its_own_it_takes_the_schedules(self) -> None:
        rate = FixedRate(timedelta(seconds=10))

        assert after_noon(rate, anchor=NOON - timedelta(seconds=3)) == NOON + timedelta(seconds=7)
        assert after_noon(rate, anchor=NOON - timedelta(seconds=8)) == NOON + timedelta(seconds=2)

    def test_local_time_means_nothing_to_it(self) -> None:
        daily = FixedRate(timedelta(days=1), anchor_at=datetime(2026, 3, 28, 1, 30, tzinfo=UTC))

        due = next_fire(daily, BERLIN, NOON, datetime(2026, 3, 28, 12, tzinfo=UTC))

        assert due == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    @settings(max_examples=300, deadline=None)
    @given(
        every=st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
        anchor=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
        after=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    )
    def test_it_never_drifts(self, every: timedelta, anchor: datetime, after: datetime) -> None:
        due = next_fire(FixedRate(every, anchor), BERLIN, NOON, after)

        assert due is not None
        assert due > after
        assert (due - anchor) % every == timedelta(0)
        assert due == anchor or due - every <= after

    def test_it_ends_with_the_time_line(self) -> None:
        late = datetime(9998, 6, 30, 23, tzinfo=UTC)

        assert next_fire(FixedRate(timedelta(hours=1), NOON), BERLIN, NOON, late) == late + timedelta(hours=1)
        assert next_fire(FixedRate(timedelta(days=1), NOON), BERLIN, NOON, late) is None
        assert next_fire(FixedRate(timedelta.max, NOON), BERLIN, NOON, NOON) is None

    @pytest.mark.parametrize("every", [timedelta(0), timedelta(milliseconds=999), timedelta(seconds=-5)])
    def test_less_than_a_second_is_refused(self, every: timedelta) -> None:
        with pytest.raises(InvalidError) as refusal:
            FixedRate(every)

        assert faults_of(refusal) == [("everySec", "must be at least 1 second")]

    def test_an_anchor_must_be_an_instant_on_the_time_line(self) -> None:
        with pytest.raises(InvalidError) as local:
            FixedRate(timedelta(seconds=1), anchor_at=datetime(2026, 1, 1))
        with pytest.raises(InvalidError) as early:
            FixedRate(timedelta(seconds=1), anchor_at=datetime(1, 1, 1, tzinfo=UTC))

        assert faults_of(local) == [("anchorAt", "must have an offset")]
        assert faults_of(early) == [("anchorAt", "must lie in the years 1970 to 9997")]


@pytest.mark.parametrize(
    "trigger",
    [
        Cron("*/7 * * * *"),
        Rrule("FREQ=MINUTELY;INTERVAL=7"),
        OneShot(NOON + timedelta(minutes=5)),
        FixedRate(timedelta(seconds=301)),
    ],
)
class TestEveryTrigger:
    UNTIL = NOON + timedelta(hours=3)

    def test_what_lies_between_is_what_comes_next_again_and_again(self, trigger: Trigger) -> None:
        walked: list[datetime] = []
        while (due := next_fire(trigger, BERLIN, NOON, walked[-1] if walked else NOON)) and due <= self.UNTIL:
            walked.append(due)

        assert list(fires_between(trigger, BERLIN, NOON, NOON, self.UNTIL)) == walked
        assert walked

    def test_a_stretch_of_time_holds_its_end_and_not_its_beginning(self, trigger: Trigger) -> None:
        due = next_fire(trigger, BERLIN, NOON, NOON)
        assert due is not None

        assert list(fires_between(trigger, BERLIN, NOON, NOON, due)) == [due]
        assert list(fires_between(trigger, BERLIN, NOON, due, due)) == []

    def test_its_due_times_are_in_utc(self, trigger: Trigger) -> None:
        assert all(due.tzinfo is UTC for due in fires_between(trigger, BERLIN, NOON, NOON, self.UNTIL))

    def test_an_unknown_zone_is_refused(self, trigger: Trigger) -> None:
        with pytest.raises(InvalidError, match="unknown time zone"):
            next_fire(trigger, "Mars/Olympus", NOON, NOON)


class TestRrule:
    DAILY = Rrule("FREQ=DAILY;BYHOUR=9")

    def test_it_is_due_in_the_local_time_of_the_zone(self) -> None:
        assert after_noon(self.DAILY) == datetime(2026, 5, 5, 7, tzinfo=UTC)

    def test_without_a_start_it_begins_with_the_day_of_creation(self) -> None:
        every_other_day = Rrule("FREQ=DAILY;INTERVAL=2")

        assert after_noon(every_other_day, anchor=NOON) == datetime(2026, 5, 5, 22, tzinfo=UTC)
        assert after_noon(every_other_day, anchor=NOON - timedelta(days=1)) == datetime(2026, 5, 4, 22, tzinfo=UTC)

    def test_its_own_start_wins_over_that_of_the_schedule(self) -> None:
        rule = Rrule("FREQ=DAILY", datetime(2026, 5, 6, 10))
        ground = Ground(load_zone(BERLIN), NOON, start_at=NOON + timedelta(days=30))

        assert rule.next_fire(NOON, ground) == datetime(2026, 5, 6, 8, tzinfo=UTC)

    def test_a_clock_change_policy_replaces_the_default(self) -> None:
        before = datetime(2026, 3, 28, 12, tzinfo=UTC)
        daily, shifted = "FREQ=DAILY;BYHOUR=2;BYMINUTE=30", ClockChange(Gap.SHIFT)

        assert next_fire(Rrule(daily), BERLIN, before, before) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
        assert next_fire(Rrule(daily, dst=shifted), BERLIN, before, before) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    def test_one_that_never_fires_is_refused_once_its_schedule_is_known(self) -> None:
        never = Rrule("RRULE:FREQ=DAILY;COUNT=1\nEXDATE:20260504T000000")

        with pytest.raises(InvalidError) as refusal:
            check_can_fire(never, Ground(load_zone(BERLIN), NOON), NOON)

        assert [field for field, _ in faults_of(refusal)] == ["rrule"]

    def test_one_that_is_over_is_not_refused(self) -> None:
        over = Rrule("FREQ=DAILY;UNTIL=20200101", datetime(2019, 1, 1))

        check_can_fire(over, Ground(load_zone(BERLIN), NOON), NOON)

        assert after_noon(over) is None


class TestOnBusinessDay:
    WORKDAYS = OpenDays(CalendarDefinition(name="work"))

    def test_it_counts_the_open_days_of_the_schedules_calendar(self) -> None:
        trigger = OnBusinessDay(BusinessDay(day=-1, at=time(17)))

        due = trigger.next_fire(NOON, Ground(load_zone(BERLIN), NOON, open_days=self.WORKDAYS))

        assert due == datetime(2026, 5, 29, 15, tzinfo=UTC)

    def test_without_a_calendar_it_is_never_due(self) -> None:
        trigger = OnBusinessDay(BusinessDay(day=1, at=time(9)))

        assert after_noon(trigger) is None
        assert list(fires_between(trigger, BERLIN, NOON, NOON, NOON + timedelta(days=90))) == []

    def test_a_day_that_no_period_has_is_refused(self) -> None:
        trigger = OnBusinessDay(BusinessDay(day=6, of=Period.WEEK, at=time(9)))

        with pytest.raises(InvalidError) as refusal:
            check_can_fire(trigger, Ground(load_zone(BERLIN), NOON, open_days=self.WORKDAYS), NOON)

        assert [field for field, _ in faults_of(refusal)] == ["day"]
