"""What becomes of due times that are handled late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import HOUR, MINUTE, NOON, SECOND

from rota.domain.errors import InvalidError
from rota.domain.misfire import DueTime, Misfire, MisfirePolicy, Span

FIRE_ONCE, FIRE_ALL, SKIP = MisfirePolicy.FIRE_ONCE, MisfirePolicy.FIRE_ALL, MisfirePolicy.SKIP


def due(*ages: timedelta) -> list[DueTime]:
    """Due times of these ages at NOON, the oldest first."""
    return [at(NOON - age) for age in sorted(ages, reverse=True)]


def at(instant: datetime) -> DueTime:
    return DueTime(instant, instant)


@pytest.mark.parametrize("policy", MisfirePolicy)
class TestInsideTheGrace:
    def test_every_due_time_fires(self, policy: MisfirePolicy) -> None:
        fresh = due(30 * SECOND, 20 * SECOND, 0 * SECOND)

        verdict = Misfire(policy=policy, grace=30 * SECOND).judge(fresh, NOON)

        assert (verdict.fire, list(verdict.catch_up), list(verdict.missed)) == (fresh, [], [])

    def test_lateness_of_just_the_grace_is_no_misfire(self, policy: MisfirePolicy) -> None:
        (last,) = due(30 * SECOND)

        assert list(Misfire(policy=policy, grace=30 * SECOND).judge([last], NOON).fire) == [last]

    def test_without_grace_only_what_is_due_right_now_is_in_time(self, policy: MisfirePolicy) -> None:
        now = due(0 * SECOND)

        assert Misfire(policy=policy, grace=0 * SECOND).judge(now, NOON).fire == now


class TestFireOnce:
    def test_of_misfires_alone_the_latest_fires(self) -> None:
        old, older, latest = due(3 * HOUR, 2 * HOUR, HOUR)

        verdict = Misfire(policy=FIRE_ONCE).judge([old, older, latest], NOON)

        assert (list(verdict.fire), list(verdict.missed)) == ([latest], [old, older])

    def test_a_single_misfire_fires_and_nothing_is_missed(self) -> None:
        verdict = Misfire(policy=FIRE_ONCE).judge(due(HOUR), NOON)

        assert (list(verdict.fire), list(verdict.missed)) == (due(HOUR), [])

    def test_no_misfire_fires_beside_one_that_is_in_time(self) -> None:
        late, fresh = due(HOUR, SECOND)

        verdict = Misfire(policy=FIRE_ONCE).judge([late, fresh], NOON)

        assert (list(verdict.fire), list(verdict.missed)) == ([fresh], [late])

    def test_the_latest_is_not_among_those_that_others_follow(self) -> None:
        verdict = Misfire(policy=FIRE_ONCE).judge(due(2 * HOUR, HOUR), NOON, more_follow=True)

        assert (list(verdict.fire), list(verdict.missed)) == ([], due(2 * HOUR, HOUR))


class TestFireAll:
    def test_misfires_are_caught_up_with_and_the_rest_fires(self) -> None:
        late, later, fresh = due(2 * HOUR, HOUR, SECOND)

        verdict = Misfire(policy=FIRE_ALL).judge([late, later, fresh], NOON)

        assert (list(verdict.catch_up), list(verdict.fire), list(verdict.missed)) == ([late, later], [fresh], [])

    def test_what_lies_before_the_window_is_missed(self) -> None:
        too_old, just_in, later = due(HOUR + SECOND, HOUR, 2 * MINUTE)

        verdict = Misfire(policy=FIRE_ALL, catchup_window=HOUR).judge([too_old, just_in, later], NOON)

        assert (list(verdict.missed), list(verdict.catch_up)) == ([too_old], [just_in, later])

    def test_a_window_shorter_than_the_grace_does_not_cut_into_it(self) -> None:
        fresh = due(20 * SECOND)

        verdict = Misfire(policy=FIRE_ALL, catchup_window=10 * SECOND, grace=30 * SECOND).judge(fresh, NOON)

        assert verdict.fire == fresh


class TestSkip:
    def test_no_misfire_runs(self) -> None:
        late, fresh = due(HOUR, SECOND)

        verdict = Misfire(policy=SKIP).judge([late, fresh], NOON)

        assert (list(verdict.fire), list(verdict.catch_up), list(verdict.missed)) == ([fresh], [], [late])


@given(
    ages=st.lists(st.integers(0, 500), unique=True),
    policy=st.sampled_from(MisfirePolicy),
    grace=st.integers(0, 300),
    window=st.none() | st.integers(0, 500),
    more_follow=st.booleans(),
)
def test_each_due_time_gets_exactly_one_verdict(
    ages: list[int], policy: MisfirePolicy, grace: int, window: int | None, more_follow: bool
) -> None:
    misfire = Misfire(policy=policy, grace=grace * SECOND, catchup_window=None if window is None else window * SECOND)
    judged = due(*(age * SECOND for age in ages))

    verdict = misfire.judge(judged, NOON, more_follow=more_follow)

    assert sorted([*verdict.fire, *verdict.catch_up, *verdict.missed]) == judged
    assert {each for each in judged if each.due_at >= NOON - grace * SECOND} <= set(verdict.fire)


@pytest.mark.parametrize("field", ["grace", "catchup_window"])
def test_no_length_is_negative(field: str) -> None:
    lengths: dict[str, Any] = {field: -SECOND}  # Any: of either field

    with pytest.raises(InvalidError):
        Misfire(**lengths)


@pytest.mark.parametrize("policy", MisfirePolicy)
@pytest.mark.parametrize("field", ["grace", "catchup_window"])
def test_a_length_beyond_the_calendar_is_refused_or_harmless(field: str, policy: MisfirePolicy) -> None:
    lengths: dict[str, Any] = {field: timedelta.max}  # Any: of either field
    try:
        misfire = Misfire(policy=policy, **lengths)
    except InvalidError:
        return

    verdict = misfire.judge(due(HOUR), NOON)

    assert [*verdict.fire, *verdict.catch_up] == due(HOUR) or policy is SKIP


class TestSpan:
    def test_it_reaches_from_the_first_due_time_to_the_last(self) -> None:
        first, middle, last = due(3 * HOUR, 2 * HOUR, HOUR)

        assert Span.over([first, middle, last]) == Span(first.scheduled_for, last.scheduled_for, 3)

    def test_over_nothing_there_is_none(self) -> None:
        assert Span.over([]) is None
