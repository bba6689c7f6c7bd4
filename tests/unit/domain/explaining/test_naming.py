"""What a trigger says of an instant, and what the change of a clock makes of that."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.builders import HOUR, MINUTE, NOON

from rota.domain.calendars.business_days import BusinessDay
from rota.domain.calendars.definition import CalendarDefinition, Weekday
from rota.domain.calendars.open_days import OpenDays
from rota.domain.explaining.explanation import Outcome, Rule, Step
from rota.domain.explaining.naming import asked, names
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone
from rota.domain.trigger import Cron, FixedRate, Ground, OnBusinessDay, OneShot, Rrule, Trigger

DAILY = OpenDays(CalendarDefinition(name="DE", working_days=frozenset(Weekday)))
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC")
BERLIN = Ground(load_zone("Europe/Berlin"), datetime(2026, 1, 1, tzinfo=UTC), None, DAILY)
AFTER_THE_GAP = datetime(2026, 3, 29, 1, tzinfo=UTC)
FIRST_OF_TWO = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
AT_HALF_PAST_TWO = "30 2 * * *"


def ask(trigger: Trigger, at: datetime, ground: Ground = BERLIN) -> list[tuple[Rule, Outcome]]:
    return [(step.rule, step.outcome) for step in asked(trigger, ground, at)]


def last(trigger: Trigger, at: datetime) -> str:
    return asked(trigger, BERLIN, at)[-1].detail


class TestClockChanges:
    def test_a_skipped_time_is_moved_to_the_end_of_the_gap(self) -> None:
        assert asked(Cron(AT_HALF_PAST_TWO), BERLIN, AFTER_THE_GAP) == (
            Step(Rule.TRIGGER, Outcome.PASS, "'30 2 * * *' matches 2026-03-29 02:30:00 local"),
            Step(
                Rule.CLOCK_CHANGE,
                Outcome.MOVE,
                "2026-03-29 02:30:00 does not exist in Europe/Berlin: there the clock goes from 02:00:00 to 03:00:00; "
                "gap policy NEXT_VALID moves it to 03:00:00",
            ),
        )

    def test_a_skipped_time_may_be_shifted(self) -> None:
        shifted = Cron(AT_HALF_PAST_TWO, ClockChange(Gap.SHIFT))

        assert last(shifted, AFTER_THE_GAP + 30 * MINUTE).endswith("gap policy SHIFT moves it to 03:30:00")
        assert last(shifted, AFTER_THE_GAP).endswith("gap policy SHIFT: 1 h later")
        assert ask(shifted, AFTER_THE_GAP)[-1] == (Rule.CLOCK_CHANGE, Outcome.STOP)

    @pytest.mark.parametrize(
        "trigger",
        [
            Cron(AT_HALF_PAST_TWO, ClockChange(Gap.SKIP)),
            Rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0"),
            OnBusinessDay(BusinessDay(day=29, at=time(2, 30), dst=ClockChange(Gap.SKIP))),
        ],
    )
    def test_a_skipped_time_may_be_no_due_time(self, trigger: Trigger) -> None:
        assert ask(trigger, AFTER_THE_GAP) == [(Rule.TRIGGER, Outcome.PASS), (Rule.CLOCK_CHANGE, Outcome.STOP)]
        assert last(trigger, AFTER_THE_GAP).endswith("gap policy SKIP: it is no due time")

    def test_of_a_repeated_time_the_policy_picks(self) -> None:
        first, later = Cron(AT_HALF_PAST_TWO), Cron(AT_HALF_PAST_TWO, ClockChange(overlap=Overlap.LAST))
        both = Cron(AT_HALF_PAST_TWO, ClockChange(overlap=Overlap.BOTH))
        outcomes = [
            [ask(trigger, at)[-1][1] for at in (FIRST_OF_TWO, FIRST_OF_TWO + HOUR)] for trigger in (first, later, both)
        ]

        assert outcomes == [
            [Outcome.PASS, Outcome.STOP],
            [Outcome.STOP, Outcome.PASS],
            [Outcome.PASS, Outcome.PASS],
        ]
        assert last(first, FIRST_OF_TWO + HOUR) == (
            "2026-10-25 02:30:00 in Europe/Berlin is read twice, and this is the second of the two; "
            "overlap policy FIRST: due is 2026-10-25T00:30:00Z"
        )

    def test_a_time_that_is_read_again_while_others_are_skipped_is_told_by_its_own_name(self) -> None:
        assert ask(Cron("0 3 * * *"), AFTER_THE_GAP) == [
            (Rule.TRIGGER, Outcome.PASS),
            (Rule.CLOCK_CHANGE, Outcome.PASS),
        ]

    def test_a_one_shot_inside_a_gap(self) -> None:
        once = OneShot(datetime(2026, 3, 29, 2, 30))

        assert ask(once, AFTER_THE_GAP) == [(Rule.TRIGGER, Outcome.PASS), (Rule.CLOCK_CHANGE, Outcome.MOVE)]
        assert ask(once, AFTER_THE_GAP + 30 * MINUTE) == [(Rule.TRIGGER, Outcome.STOP)]


class TestAMismatch:
    @pytest.mark.parametrize(
        ("cron", "said"),
        [
            ("0 9 * * *", "the minute 15 is not among 0; the hour 10 is not among 9"),
            ("15 8,9,12,13,14,15,16 * * *", "the hour 10 is not among 8, 9, 12, 13, 14, 15, …"),
            ("30 15 10 * * *", "the second 0 is not among 30"),
            ("15 10 * * 1-5", "Saturday is not in the day-of-week '1-5'"),
            ("15 10 3 * *", "the day-of-month 2 is not in '3'"),
            ("15 10 * JUL *", "the month 5 is not in 'JUL'"),
            ("15 10 1 * 1-5", "the day-of-month 2 is not in '1' and Saturday is not in the day-of-week '1-5', one of"),
            ("15 10 */2 * 6", "the day-of-month 2 is not in '*/2'"),
            ("@monthly", "@monthly names no time on 2026-05-02"),
        ],
    )
    def test_names_the_fields_of_cron(self, cron: str, said: str) -> None:
        assert said in last(Cron(cron), datetime(2026, 5, 2, 8, 15, tzinfo=UTC))

    def test_tells_the_nearest_instants(self) -> None:
        told = last(Cron("0 9 * * 1-5"), datetime(2026, 5, 2, 8, 15, tzinfo=UTC))

        assert told.endswith(
            "before it 2026-05-01 09:00:00 in Europe/Berlin, after it 2026-05-04 09:00:00 in Europe/Berlin"
        )

    @pytest.mark.parametrize(
        ("more", "at", "said"),
        [
            (";COUNT=3", datetime(2026, 1, 9, 8, tzinfo=UTC), "its COUNT of 3 is used up before"),
            (";UNTIL=20260105", datetime(2026, 1, 9, 8, tzinfo=UTC), "it ends before, with its UNTIL"),
            ("\nEXDATE:20260109T090000", datetime(2026, 1, 9, 8, tzinfo=UTC), "an EXDATE takes it away"),
            ("\nEXDATE:20260109T080000Z", datetime(2026, 1, 9, 8, tzinfo=UTC), "an EXDATE takes it away"),
            ("\nEXDATE;VALUE=DATE:20260109", datetime(2026, 1, 9, 8, tzinfo=UTC), "an EXDATE takes it away"),
            ("", datetime(2025, 12, 9, 8, tzinfo=UTC), "it begins at 2026-01-01 00:00:00"),
            ("", datetime(2026, 1, 9, 7, tzinfo=UTC), "its parts name no such local time"),
        ],
    )
    def test_tells_what_a_recurrence_rule_lacks(self, more: str, at: datetime, said: str) -> None:
        assert said in last(Rrule(f"FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0{more}", datetime(2026, 1, 1)), at)

    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            (BusinessDay(day=3, at=time(9)), "that day of this month is 2026-05-03 in DE"),
            (BusinessDay(day=1, at=time(9)), "on 2026-05-01 it is due at 09:00:00"),
        ],
    )
    def test_tells_which_business_day_it_would_be(self, rule: BusinessDay, said: str) -> None:
        assert said in last(OnBusinessDay(rule), datetime(2026, 5, 1, 8, tzinfo=UTC))

    def test_tells_of_a_period_that_is_too_short(self) -> None:
        last_of_long_months = OnBusinessDay(BusinessDay(day=31, at=time(9)))

        assert "this month has not so many open days in DE" in last(
            last_of_long_months, datetime(2026, 4, 30, 7, tzinfo=UTC)
        )

    def test_tells_between_which_steps_of_a_rate_it_lies(self) -> None:
        told = last(FixedRate(7 * MINUTE, NOON), NOON + 10 * MINUTE)

        assert told.startswith("not among 2026-03-02T12:00:00Z + n × 7 min: 3 min after n = 1;")
        assert last(FixedRate(MINUTE, NOON), NOON - MINUTE) == "every 1 min from 2026-03-02T12:00:00Z, which is later"


CRONS = st.builds(
    lambda minute, hour, day: f"{minute} {hour} {day}",
    st.sampled_from(["0", "30", "*/20", "*", "15,45"]),
    st.sampled_from(["2", "1-3", "*", "0", "*/2"]),
    st.sampled_from(["* * *", "* * 0", "29,25 * *", "L * *", "* 3,10 0"]),
)
ODD_DAYS = [
    date(2026, month, day) + n * timedelta(days=1)
    for month, day in ((2, 15), (3, 8), (3, 22), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1))
    for n in (-1, 0, 1)
] + [date(2011, 12, day) for day in (29, 30, 31)]
CHANGES = st.none() | st.builds(ClockChange, st.sampled_from(Gap), st.sampled_from(Overlap))


@given(
    cron=CRONS,
    change=CHANGES,
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2011, 12, 25), date(2027, 12, 31)) | st.sampled_from(ODD_DAYS),
    minute=st.integers(0, 1439),
    near=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_it_stops_exactly_where_the_trigger_does_not_name_the_instant(
    cron: str, change: ClockChange | None, zone: str, day: date, minute: int, near: bool
) -> None:
    trigger, ground = Cron(cron, change), Ground(load_zone(zone), datetime(2011, 1, 1, tzinfo=UTC))
    at = datetime.combine(day, time(), UTC) + minute * timedelta(minutes=1)
    if near:
        at = trigger.next_fire(at, ground) or at

    steps = asked(trigger, ground, at)

    assert steps[-1].stops is not names(trigger, ground, at)
    assert [step.rule for step in steps][:1] == [Rule.TRIGGER]
    assert not any(step.stops for step in steps[:-1])
