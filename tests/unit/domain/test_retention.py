"""How long what is over is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, SECOND, next_id

from rota.domain.errors import InvalidError
from rota.domain.ids import RunId
from rota.domain.retention import Ages, FinishedRun, RetentionPolicy
from rota.domain.run_events import FINAL, RunState

DAY = timedelta(days=1)


def a_finished_run(state: RunState = RunState.SUCCEEDED, kept_for: timedelta | None = None) -> FinishedRun:
    """It ended at NOON."""
    return FinishedRun(id=RunId(next_id()), state=state, finished_at=NOON, kept_for=kept_for)


@pytest.mark.parametrize(
    ("state", "days"),
    [(RunState.SUCCEEDED, 30), (RunState.CANCELLED, 30), (RunState.SKIPPED, 30), (RunState.DEAD, 90)],
)
def test_a_run_is_kept_from_its_end_for_as_long_as_its_state_says(state: RunState, days: int) -> None:
    policy, run = RetentionPolicy(), a_finished_run(state)

    assert not policy.is_over(ACME, run, NOON + days * DAY - SECOND)
    assert policy.is_over(ACME, run, NOON + days * DAY)


def test_every_final_state_has_an_age() -> None:
    assert all(Ages().of(state) is not None for state in FINAL)


def test_a_tenants_own_ages_win() -> None:
    policy = RetentionPolicy(tenants={GLOBEX: Ages(succeeded=HOUR)})

    assert policy.is_over(GLOBEX, a_finished_run(), NOON + HOUR)
    assert not policy.is_over(ACME, a_finished_run(), NOON + HOUR)


@pytest.mark.parametrize("state", sorted(FINAL))
@pytest.mark.parametrize("kept_for", [timedelta(0), HOUR, 1000 * DAY])
def test_a_jobs_own_word_wins_over_both(state: RunState, kept_for: timedelta) -> None:
    policy = RetentionPolicy(tenants={ACME: Ages(succeeded=2 * HOUR, dead=None)})
    run = a_finished_run(state, kept_for)

    assert not policy.is_over(ACME, run, NOON + kept_for - SECOND)
    assert policy.is_over(ACME, run, NOON + kept_for)


def test_none_is_for_ever() -> None:
    policy = RetentionPolicy(ages=Ages(dead=None))

    assert not policy.is_over(ACME, a_finished_run(RunState.DEAD), NOON + 100_000 * DAY)


def test_the_shortest_of_all_ages_is_the_first_at_which_anything_goes() -> None:
    policy = RetentionPolicy(ages=Ages(cancelled=DAY), tenants={GLOBEX: Ages(skipped=HOUR)})

    assert policy.shortest(ACME, None) == DAY
    assert policy.shortest(ACME, HOUR) == HOUR
    assert policy.shortest(ACME, 2 * DAY) == DAY
    assert policy.shortest(GLOBEX, None) == HOUR


def test_where_all_is_kept_for_ever_only_a_job_can_say_otherwise() -> None:
    policy = RetentionPolicy(ages=Ages(succeeded=None, cancelled=None, skipped=None, dead=None))

    assert policy.shortest(ACME, None) is None
    assert policy.shortest(ACME, HOUR) == HOUR


@pytest.mark.parametrize("name", ["succeeded", "cancelled", "skipped", "dead", "events"])
def test_an_age_cannot_be_negative(name: str) -> None:
    negative: dict[str, Any] = {name: -SECOND}

    with pytest.raises(InvalidError):
        Ages(**negative)


@pytest.mark.parametrize("name", ["rejected_reports", "offline_workers", "redrives"])
def test_neither_can_one_of_the_services_own(name: str) -> None:
    negative: dict[str, Any] = {name: -SECOND}

    with pytest.raises(InvalidError):
        RetentionPolicy(**negative)
