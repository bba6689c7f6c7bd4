"""What happens when a schedule is due and runs of it have not ended yet."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import MINUTE, NOON, a_schedule

from rota.domain.decision import Decision
from rota.domain.misfire import DueTime, MisfirePolicy
from rota.domain.overlap import Arranged, Going, Overlap, arrange

FREE = Going()
RUNS = Going(unfinished=1, running=1)
QUEUED = Going(unfinished=1)
ONE_WAITS = Going(unfinished=2, parked=1, running=1)


def minute(number: int) -> datetime:
    return NOON + number * MINUTE


def due(*numbers: int) -> tuple[DueTime, ...]:
    return tuple(DueTime(minute(number), minute(number)) for number in numbers)


@pytest.mark.parametrize(
    ("policy", "going", "expected"),
    [
        (Overlap.ALLOW, ONE_WAITS, Arranged(go=due(0, 1, 2))),
        (Overlap.SKIP, FREE, Arranged(go=due(0), skip=due(1, 2))),
        (Overlap.SKIP, RUNS, Arranged(skip=due(0, 1, 2))),
        (Overlap.SKIP, QUEUED, Arranged(skip=due(0, 1, 2))),
        (Overlap.QUEUE, FREE, Arranged(go=due(0), park=due(1, 2))),
        (Overlap.QUEUE, ONE_WAITS, Arranged(park=due(0, 1, 2))),
        (Overlap.QUEUE_ONE, FREE, Arranged(go=due(0), park=due(1), skip=due(2))),
        (Overlap.QUEUE_ONE, RUNS, Arranged(park=due(0), skip=due(1, 2))),
        (Overlap.QUEUE_ONE, ONE_WAITS, Arranged(skip=due(0, 1, 2))),
        (Overlap.REPLACE, FREE, Arranged(go=due(2), skip=due(0, 1))),
        (Overlap.REPLACE, QUEUED, Arranged(go=due(2), skip=due(0, 1), replaces=True)),
        (Overlap.REPLACE, RUNS, Arranged(park=due(2), skip=due(0, 1), replaces=True)),
    ],
)
def test_each_policy_sorts_three_due_times(policy: Overlap, going: Going, expected: Arranged) -> None:
    assert arrange(policy, due(0, 1, 2), going) == expected


@given(st.sampled_from(Overlap), st.integers(0, 20), st.builds(Going, st.integers(0, 3), st.integers(0, 3)))
def test_every_due_time_is_in_exactly_one_place(policy: Overlap, count: int, going: Going) -> None:
    times = due(*range(count))

    arranged = arrange(policy, times, going)

    assert sorted((*arranged.go, *arranged.park, *arranged.skip)) == list(times)


def test_with_no_due_time_nothing_is_replaced() -> None:
    assert arrange(Overlap.REPLACE, (), RUNS) == Arranged()


class TestSchedules:
    def test_a_schedule_decides_by_its_policy(self) -> None:
        schedule = a_schedule(overlap=Overlap.SKIP)

        assert schedule.decide(minute(0), RUNS) == Decision(skip=due(0))
        assert schedule.next == due(1)[0]

    def test_what_is_skipped_does_not_count_as_one_of_its_runs(self) -> None:
        schedule = a_schedule(overlap=Overlap.SKIP, max_runs=1)

        schedule.decide(minute(0), RUNS)
        assert (schedule.runs_made, schedule.next) == (0, due(1)[0])
        schedule.decide(minute(1), FREE)

        assert (schedule.runs_made, schedule.next) == (1, None)

    def test_no_more_wait_than_it_may_still_make(self) -> None:
        schedule = a_schedule(overlap=Overlap.QUEUE, max_runs=2, policy=MisfirePolicy.FIRE_ALL, grace=10 * MINUTE)

        decision = schedule.decide(minute(4), FREE)

        assert (decision.fire, decision.park, schedule.next) == (due(0), due(1), None)

    def test_its_runs_are_waited_for(self) -> None:
        schedule = a_schedule(overlap=Overlap.QUEUE)

        assert schedule.definition.waits_for_ends
        assert not a_schedule().definition.waits_for_ends

    def test_late_ones_that_were_set_aside_replace_nothing_but_wait(self) -> None:
        schedule = a_schedule(overlap=Overlap.REPLACE)

        assert schedule.arrange(due(0, 1), RUNS, Overlap.REPLACE) == Arranged(park=due(0, 1))

    def test_late_ones_that_are_skipped_are_given_back(self) -> None:
        schedule = a_schedule(overlap=Overlap.SKIP)
        schedule.runs_made = 2

        schedule.arrange(due(0, 1), RUNS, Overlap.SKIP)

        assert (schedule.runs_made, schedule.is_changed) == (0, True)
