"""Everything around clock changes, against an oracle that reads the clock of a zone once a minute."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support.clocks import HOUR, MINUTE, ODD_ZONES, POLICIES, SECOND, ZONES, Clock, Rule, clock_changes

from rota.domain.time.cron import parse_cron
from rota.domain.time.zone import ClockChange, load_zone, place


def fields(size: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """One field as text and as numbers: all, every nth, or a list."""
    return st.one_of(
        st.just(("*", frozenset(range(size)))),
        st.sampled_from([2, 5, 7, 15, 20]).map(lambda n: (f"*/{n}", frozenset(range(0, size, n)))),
        st.frozensets(st.integers(0, size - 1), min_size=1, max_size=6).map(
            lambda numbers: (",".join(map(str, numbers)), numbers)
        ),
    )


@st.composite
def rules(draw: st.DrawFn, *, with_seconds: bool = False) -> Rule:
    second, seconds = draw(fields(60)) if with_seconds else ("", frozenset({0}))
    (minute, minutes), (hour, hours) = draw(fields(60)), draw(fields(24))
    return Rule(f"{second} {minute} {hour} * * *".strip(), seconds, minutes, hours)


@st.composite
def changes(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone and the instant of one of its clock changes, 1975 to 2045."""
    zone = load_zone(draw(st.sampled_from(ODD_ZONES) | st.sampled_from(ZONES)))
    found = clock_changes(zone, draw(st.integers(1975, 2045)))
    assume(found)
    return zone, draw(st.sampled_from(found))


@settings(max_examples=80, deadline=None)
@given(change=changes(), rule=rules(), policy=st.none() | st.sampled_from(POLICIES), late=st.integers(-90_000, 90_000))
def test_around_a_clock_change_a_rule_is_due_when_the_clock_says(
    change: tuple[ZoneInfo, datetime], rule: Rule, policy: ClockChange | None, late: int
) -> None:
    zone, at = change
    low, high, after = at - 26 * HOUR, at + 26 * HOUR, at + late * SECOND
    clock = Clock(zone, at - 52 * HOUR, at + 52 * HOUR)
    expected = [due for due in clock.due(rule.matches, policy or rule.default_change) if low < due <= high]

    expression = parse_cron(rule.text)

    assert list(expression.between(low, high, zone, policy)) == expected
    assert list(expression.between(after, high, zone, policy)) == [due for due in expected if due > after]
    assert list(expression.between(low, after, zone, policy)) == [due for due in expected if due <= after]


@settings(max_examples=50, deadline=None)
@given(change=changes(), rule=rules(), policy=st.none() | st.sampled_from(POLICIES), data=st.data())
def test_the_next_fire_is_the_first_due_time_that_is_strictly_later(
    change: tuple[ZoneInfo, datetime], rule: Rule, policy: ClockChange | None, data: st.DataObject
) -> None:
    zone, at = change
    clock = Clock(zone, at - 52 * HOUR, at + 52 * HOUR)
    expected = clock.due(rule.matches, policy or rule.default_change)
    expression = parse_cron(rule.text)

    for _ in range(20):
        after = at + data.draw(st.integers(-26 * 3600, 22 * 3600)) * SECOND
        following = bisect_right(expected, after)
        if following < len(expected) and expected[following] < at + 26 * HOUR:
            assert expression.next_fire(after, zone, policy) == expected[following]


@settings(max_examples=20, deadline=None)
@given(
    zone_name=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Gaza"]),
    rule=rules(with_seconds=True),
    policy=st.none() | st.sampled_from(POLICIES),
    data=st.data(),
)
def test_it_holds_to_the_second(zone_name: str, rule: Rule, policy: ClockChange | None, data: st.DataObject) -> None:
    zone = load_zone(zone_name)
    at = data.draw(st.sampled_from(clock_changes(zone, 2026)))
    clock = Clock(zone, at - 3 * HOUR, at + 3 * HOUR, SECOND)
    low, high = at - 80 * MINUTE, at + 80 * MINUTE
    expected = [due for due in clock.due(rule.matches, policy or rule.default_change) if low < due <= high]

    assert list(parse_cron(rule.text).between(low, high, zone, policy)) == expected


@settings(max_examples=80, deadline=None)
@given(change=changes(), minutes=st.integers(-26 * 60, 26 * 60))
def test_a_local_time_is_placed_where_the_clock_read_it(change: tuple[ZoneInfo, datetime], minutes: int) -> None:
    zone, at = change
    clock = Clock(zone, at - 52 * HOUR, at + 52 * HOUR)
    wall = at.astimezone(zone).replace(tzinfo=None) + minutes * MINUTE

    for policy in POLICIES:
        assert list(place(wall, zone, policy)) == clock.meaning(wall, policy)


@settings(max_examples=40, deadline=None)
@given(zone_name=st.sampled_from(ZONES), rule=rules(), year=st.integers(1950, 2090), data=st.data())
def test_due_times_rise_without_end_and_do_not_depend_on_where_the_walk_began(
    zone_name: str, rule: Rule, year: int, data: st.DataObject
) -> None:
    zone, expression = load_zone(zone_name), parse_cron(rule.text)
    low = datetime(year, 1, 1, tzinfo=UTC) + data.draw(st.integers(0, 365)) * 24 * HOUR
    found = list(expression.between(low, low + 36 * HOUR, zone))
    middle = low + data.draw(st.integers(0, 36 * 60)) * MINUTE

    assert all(earlier < later for earlier, later in pairwise(found))
    assert found == [
        *expression.between(low, middle, zone),
        *expression.between(middle, low + 36 * HOUR, zone),
    ]


@pytest.mark.parametrize("zone_name", ODD_ZONES)
def test_a_daily_time_is_due_once_for_each_local_date(zone_name: str) -> None:
    zone = load_zone(zone_name)
    low, high = datetime(1995, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)

    found = list(parse_cron("30 0 * * *").between(low, high, zone))

    dates = [at.astimezone(zone).date() for at in found]
    twice = [day for day, next_day in pairwise(dates) if day == next_day]
    assert twice == ([date(2011, 12, 31)] if zone_name == "Pacific/Apia" else [])  # it had no 30 December
    assert len(dates) == (dates[-1] - dates[0]).days + 1
