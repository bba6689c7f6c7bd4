"""A redrive: how fast it goes, when it stops, and when it is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, HOUR, NOON, SECOND, next_id

from rota.domain.errors import InvalidError, TransitionError
from rota.domain.ids import RedriveId, RunId
from rota.domain.redrive import MOST, LetterFilter, Redrive, RedriveState, RedriveTerms


def a_redrive(count: int = 100, **terms: Any) -> Redrive:
    redrive = Redrive.ask(ACME, RedriveId(next_id()), LetterFilter(), RedriveTerms(**terms), now=NOON)
    redrive.take(count)
    return redrive


def advance(redrive: Redrive, made: int, now: datetime = NOON, *, passed: int = 0) -> RunId:
    reached = RunId(next_id())
    redrive.advance(reached, made=made, passed=passed, now=now)
    return reached


class TestPace:
    def test_the_first_may_go_at_once(self) -> None:
        assert a_redrive().may_make(NOON) == 1

    def test_each_run_takes_its_part_of_a_second(self) -> None:
        redrive = a_redrive(per_sec=4)

        advance(redrive, 1)

        assert [redrive.may_make(NOON + n * SECOND / 4) for n in (0, 1, 2, 4)] == [0, 1, 2, 4]

    def test_what_was_not_made_is_made_up_for_by_a_second_at_most(self) -> None:
        redrive = a_redrive(per_sec=4)

        assert redrive.may_make(NOON + HOUR) == 5
        advance(redrive, 5, NOON + HOUR)

        assert redrive.may_make(NOON + HOUR) == 0
        assert redrive.may_make(NOON + HOUR + SECOND / 4) == 1

    def test_over_a_long_time_it_is_kept(self) -> None:
        redrive = a_redrive(count=10_000, per_sec=7)
        made = 0

        for step in range(200):
            now = NOON + step * 0.3 * SECOND
            if allowed := redrive.may_make(now):
                advance(redrive, allowed, now)
                made += allowed

        assert made == pytest.approx(7 * 60, abs=8)

    def test_what_is_passed_over_takes_no_time(self) -> None:
        redrive = a_redrive(per_sec=1)

        advance(redrive, 0, passed=50)

        assert redrive.may_make(NOON) == 1

    @pytest.mark.parametrize("per_sec", [0.001, 1_000.0])
    def test_it_may_be_slow_or_quick(self, per_sec: float) -> None:
        redrive = a_redrive(per_sec=per_sec)

        advance(redrive, 1)

        assert redrive.next_at == NOON + timedelta(seconds=1 / per_sec)


class TestItsEnd:
    def test_without_dead_letters_it_is_done_at_once(self) -> None:
        redrive = a_redrive(count=0)

        assert (redrive.state, redrive.finished_at, redrive.may_make(NOON)) == (RedriveState.DONE, NOON, 0)

    def test_it_is_done_when_each_was_made_or_passed_over(self) -> None:
        redrive = a_redrive(count=5)

        advance(redrive, 2, passed=1)
        assert redrive.state is RedriveState.RUNNING
        last = advance(redrive, 1, NOON + SECOND, passed=1)

        assert (redrive.state, redrive.finished_at) == (RedriveState.DONE, NOON + SECOND)
        assert (redrive.made, redrive.passed, redrive.reached) == (3, 2, last)

    def test_it_stops_when_too_many_die_again(self) -> None:
        redrive = a_redrive(stop_after=3)
        advance(redrive, 4)

        redrive.judge(2, NOON)
        assert redrive.state is RedriveState.RUNNING
        redrive.judge(3, NOON + SECOND)

        assert (redrive.state, redrive.finished_at) == (RedriveState.STOPPED, NOON + SECOND)
        assert redrive.reason == "3 of the 4 new runs are DEAD again"
        assert redrive.may_make(NOON + HOUR) == 0

    def test_what_is_over_does_not_stop_any_more(self) -> None:
        redrive = a_redrive(count=1)
        advance(redrive, 1)

        redrive.judge(100, NOON)

        assert (redrive.state, redrive.reason) == (RedriveState.DONE, None)

    def test_it_can_be_cancelled(self) -> None:
        redrive = a_redrive()

        redrive.cancel("enough", NOON + SECOND)

        assert (redrive.state, redrive.reason, redrive.finished_at) == (
            RedriveState.CANCELLED,
            "enough",
            NOON + SECOND,
        )
        assert redrive.may_make(NOON + HOUR) == 0

    def test_but_only_as_long_as_it_goes_on(self) -> None:
        redrive = a_redrive(count=0)

        with pytest.raises(TransitionError):
            redrive.cancel("", NOON)
        with pytest.raises(TransitionError):
            advance(redrive, 1)

        assert redrive.state is RedriveState.DONE


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"per_sec": 0.0}, "perSec"),
        ({"per_sec": -1.0}, "perSec"),
        ({"per_sec": 1_000.5}, "perSec"),
        ({"per_sec": float("nan")}, "perSec"),
        ({"most": 0}, "max"),
        ({"most": MOST + 1}, "max"),
        ({"stop_after": 0}, "stopAfter"),
        ({"stop_after": MOST + 1}, "stopAfter"),
    ],
)
def test_terms_have_bounds(terms: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        RedriveTerms(**terms)

    assert [fault.field for fault in refusal.value.faults] == [field]
