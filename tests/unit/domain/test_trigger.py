from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.domain.errors import InvalidError
from rota.domain.time.zone import ClockChange, Overlap
from rota.domain.trigger import Cron, FixedRate, OneShot, Trigger, fires_between, next_fire

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"


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
    [Cron("*/7 * * * *"), Cron("0 * * * *"), OneShot(NOON + timedelta(minutes=5)), FixedRate(timedelta(seconds=301))],
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
