"""How often a run is tried, and how long it waits in between."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import HOUR, NOON, SECOND

from rota.domain.errors import InvalidError
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy, spread_of

FIXED, LINEAR, EXPONENTIAL = BackoffKind.FIXED, BackoffKind.LINEAR, BackoffKind.EXPONENTIAL


@pytest.mark.parametrize(
    ("kind", "waits"), [(FIXED, [2, 2, 2, 2]), (LINEAR, [2, 4, 6, 8]), (EXPONENTIAL, [2, 6, 18, 54])]
)
def test_the_wait_grows_as_its_kind_says(kind: BackoffKind, waits: list[int]) -> None:
    backoff = Backoff(kind=kind, initial=2 * SECOND, factor=3, jitter=0)

    assert [backoff.wait(failures, 0) for failures in (1, 2, 3, 4)] == [wait * SECOND for wait in waits]


@pytest.mark.parametrize("kind", [LINEAR, EXPONENTIAL])
def test_it_never_grows_beyond_the_longest(kind: BackoffKind) -> None:
    backoff = Backoff(kind=kind, initial=SECOND, longest=HOUR, jitter=0)

    assert backoff.wait(999_999, 0) == HOUR


def test_without_an_initial_wait_there_is_none_however_often_it_fails() -> None:
    backoff = Backoff(kind=EXPONENTIAL, initial=0 * SECOND, factor=100)

    assert [backoff.wait(failures, 1) for failures in (1, 2, 1000)] == [0 * SECOND] * 3


def test_jitter_moves_the_wait_to_either_side() -> None:
    backoff = Backoff(kind=FIXED, initial=100 * SECOND, jitter=0.25)

    assert [backoff.wait(1, spread) for spread in (-1, 0, 1)] == [75 * SECOND, 100 * SECOND, 125 * SECOND]


@given(
    kind=st.sampled_from(BackoffKind),
    initial=st.floats(0, 1e6),
    factor=st.floats(1, 100),
    longest=st.floats(0, 1e6),
    jitter=st.floats(0, 1),
    failures=st.integers(1, 1000),
    spread=st.floats(-1, 1),
)
def test_the_wait_stays_between_nothing_and_the_longest_with_its_jitter(
    kind: BackoffKind, initial: float, factor: float, longest: float, jitter: float, failures: int, spread: float
) -> None:
    backoff = Backoff(
        kind=kind,
        initial=timedelta(seconds=initial),
        factor=factor,
        longest=timedelta(seconds=longest),
        jitter=jitter,
    )

    assert timedelta(0) <= backoff.wait(failures, spread) <= timedelta(seconds=longest * (1 + jitter), microseconds=1)


@pytest.mark.parametrize("field", ["initial", "longest"])
def test_a_wait_beyond_the_calendar_is_refused_or_harmless(field: str) -> None:
    lengths: dict[str, Any] = {"initial": timedelta.max, "longest": HOUR, field: timedelta.max}  # Any: of any field
    try:
        backoff = Backoff(**lengths)
    except InvalidError:
        return

    assert isinstance(NOON + backoff.wait(1, 1), datetime)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("initial", -SECOND),
        ("longest", -SECOND),
        ("factor", 0.9),
        ("factor", 101.0),
        ("factor", float("nan")),
        ("jitter", -0.1),
        ("jitter", 1.1),
        ("jitter", float("nan")),
    ],
)
def test_a_backoff_that_makes_no_sense_is_refused(field: str, value: Any) -> None:  # Any: of either type
    with pytest.raises(InvalidError):
        Backoff(**{field: value})


class TestPolicy:
    @pytest.mark.parametrize(("counted", "allowed"), [(0, True), (2, True), (3, False), (4, False)])
    def test_the_first_attempt_counts_as_one(self, counted: int, allowed: bool) -> None:
        assert RetryPolicy(max_attempts=3).allows_another_after(counted) is allowed

    @pytest.mark.parametrize("attempts", [0, -1, 1001])
    def test_there_are_one_to_a_thousand_attempts(self, attempts: int) -> None:
        with pytest.raises(InvalidError) as refusal:
            RetryPolicy(max_attempts=attempts)

        assert refusal.value.faults[0].field == "maxAttempts"


class TestSpread:
    @given(run_id=st.uuids(), attempt=st.integers(1, 1000))
    def test_it_is_fixed_and_within_bounds(self, run_id: UUID, attempt: int) -> None:
        assert spread_of(run_id, attempt) == spread_of(run_id, attempt)
        assert -1 <= spread_of(run_id, attempt) <= 1

    def test_runs_made_together_are_spread_over_all_of_it(self) -> None:
        spreads = [spread_of(UUID(int=NOON.toordinal() << 80 | count), 1) for count in range(1000)]

        assert min(spreads) < -0.9
        assert max(spreads) > 0.9
        assert abs(sum(spreads) / len(spreads)) < 0.1

    def test_each_attempt_of_a_run_has_its_own(self) -> None:
        assert len({spread_of(UUID(int=1), attempt) for attempt in range(1, 100)}) == 99
