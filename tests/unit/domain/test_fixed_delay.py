"""A schedule that counts from the end of its last run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.builders import HOUR, MINUTE, NOON, SECOND, a_schedule

from rota.domain.errors import InvalidError
from rota.domain.misfire import DueTime, MisfirePolicy
from rota.domain.overlap import Going, Overlap
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay

EACH_TEN_MINUTES = FixedDelay(10 * MINUTE)
RUNS = Going(unfinished=1, running=1)


def fired(**more: object) -> Schedule:
    schedule = a_schedule(EACH_TEN_MINUTES, **more)  # type: ignore[arg-type]  # what a_schedule takes
    assert len(schedule.decide(NOON).fire) == 1
    return schedule


def at(minutes: float) -> DueTime:
    instant = NOON + minutes * MINUTE
    return DueTime(instant, instant)


def test_the_first_is_due_at_creation() -> None:
    assert a_schedule(EACH_TEN_MINUTES).next == at(0)


def test_or_at_the_start_that_it_was_given() -> None:
    assert a_schedule(EACH_TEN_MINUTES, start_at=NOON + HOUR).next == at(60)


def test_while_its_run_goes_nothing_is_to_come() -> None:
    schedule = fired()

    assert schedule.next is None
    assert not schedule.is_due(NOON + HOUR)


def test_the_next_is_due_that_long_after_the_end() -> None:
    schedule = fired()

    schedule.run_ended(NOON + 3 * MINUTE)

    assert schedule.next == at(13)
    assert schedule.is_changed
    assert list(schedule.upcoming(NOON)) == [at(13)]


def test_an_end_that_is_told_twice_changes_nothing() -> None:
    schedule = fired()
    schedule.run_ended(NOON + 3 * MINUTE)

    schedule.run_ended(NOON + 5 * MINUTE)

    assert schedule.next == at(13)


def test_where_one_was_missed_the_delay_counts_from_the_decision() -> None:
    schedule = a_schedule(EACH_TEN_MINUTES, policy=MisfirePolicy.SKIP)

    decision = schedule.decide(NOON + HOUR)

    assert decision.miss is not None
    assert schedule.next == at(70)


def test_where_one_was_skipped_too() -> None:
    schedule = a_schedule(EACH_TEN_MINUTES, overlap=Overlap.SKIP)

    assert schedule.decide(NOON + SECOND, RUNS).skip == (at(0),)
    assert schedule.next == DueTime(NOON + SECOND + 10 * MINUTE, NOON + SECOND + 10 * MINUTE)


def test_enabling_arms_it_anew() -> None:
    schedule = fired()
    schedule.disable("", now=NOON + MINUTE)
    assert schedule.next is None

    schedule.enable("", now=NOON + 2 * MINUTE)

    assert schedule.next == at(2)


def test_a_disabled_one_is_not_armed_by_an_end() -> None:
    schedule = fired()
    schedule.disable("", now=NOON + MINUTE)

    schedule.run_ended(NOON + 2 * MINUTE)

    assert schedule.next is None


def test_a_change_of_its_name_leaves_what_stands() -> None:
    schedule = fired()
    schedule.run_ended(NOON + 3 * MINUTE)

    schedule.change(replace(schedule.definition, description="new"), now=NOON + 4 * MINUTE)

    assert schedule.next == at(13)


def test_after_its_end_or_its_last_run_nothing_comes() -> None:
    over = fired(end_at=NOON + 12 * MINUTE)
    over.run_ended(NOON + 3 * MINUTE)
    spent = fired(max_runs=1)
    spent.run_ended(NOON + 3 * MINUTE)

    assert (over.next, spent.next) == (None, None)


@pytest.mark.parametrize("delay", [timedelta(0), timedelta(days=367), -SECOND])
def test_a_delay_without_sense_is_refused(delay: timedelta) -> None:
    with pytest.raises(InvalidError, match="delaySec"):
        FixedDelay(delay)
