"""Rota under faults, shortly: what it stands on is killed, stopped and cut off; every promise is checked.

The plan is always the same, so that a red run speaks of the change and not of the draw; `CHAOS_SEED` gives another, as
`make chaos SEED=` does for longer runs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp

import pytest
from tests.e2e.nemesis.arsenal import KINDS
from tests.e2e.nemesis.campaign import Campaign
from tests.e2e.nemesis.plan import draw_plan, one_of_each, spread_plan

SEED = 91
"""A plan that asks a server to end just while the bus is away, which has found a fault before."""
ELECTED, UNELECTED = 56.0, 14.0
"""Seconds of faults."""
LEFT_OUT = frozenset({"jam_leader", "loop_postgres", "deceive_all"})
"""Kinds that take a quarter of a minute each."""
UNELECTED_FAULTS = (
    "fire.advanced:stop",
    "fire.before_commit:stop",
    "fire.after_commit:kill",
    "stop_server",
    "kill_worker",
    "stop_postgres",
    "betray_commit",
    "echo_reports",
)


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("CHAOS_SEED") or SEED)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where a run keeps its servers' data and logs; left for a look where the test failed.

    Not `tmp_path`: that is closed to the user whom Postgres runs as when we are root.
    """
    before = request.session.testsfailed
    directory = Path(mkdtemp(prefix="rota-chaos-"))
    yield directory
    if request.session.testsfailed == before:
        shutil.rmtree(directory)


@pytest.mark.timeout(300)
async def test_nothing_is_lost_and_nothing_done_twice_whatever_fails(place: Path, seed: int) -> None:
    kinds = one_of_each(seed, without=LEFT_OUT)
    campaign = Campaign(directory=place, seed=seed, seconds=ELECTED, plan=spread_plan(seed, ELECTED, kinds))

    report = await campaign.carry_out()
    report.write(place)

    assert report.passed, report.as_text()


@pytest.mark.timeout(240)
async def test_two_servers_that_both_tick_are_as_safe_as_one(place: Path, seed: int) -> None:
    plan = spread_plan(seed, UNELECTED, UNELECTED_FAULTS)
    campaign = Campaign(directory=place, seed=seed, seconds=UNELECTED, plan=plan, elected=False)

    report = await campaign.carry_out()
    report.write(place)

    assert report.passed, report.as_text()


def test_a_seed_gives_the_same_plan_again() -> None:
    assert draw_plan(7, 600) == draw_plan(7, 600)
    assert draw_plan(7, 600) != draw_plan(8, 600)


def test_a_short_run_has_one_kind_of_each_fault_in_the_list() -> None:
    listed = {KINDS[kind].fault for kind in KINDS if kind not in LEFT_OUT}

    chosen = one_of_each(7, without=LEFT_OUT)

    assert [KINDS[kind].fault for kind in chosen] == sorted(listed)
    assert not LEFT_OUT & set(chosen)


def test_the_plan_that_is_always_the_same_asks_a_server_to_end_while_the_bus_is_away() -> None:
    plan = spread_plan(SEED, ELECTED, one_of_each(SEED, without=LEFT_OUT))

    away = [strike for strike in plan if strike.kind in ("kill_nats", "stop_nats")]
    asked = [strike.at for strike in plan if strike.kind in ("deceive_server", "skew_server", "end_leader")]

    assert any(strike.at < at < strike.at + strike.lasts for strike in away for at in asked)


def test_a_long_run_has_quiet_stretches_in_which_lateness_has_no_excuse() -> None:
    starts = [strike.at for strike in draw_plan(7, 600)]

    assert max(later - before for before, later in pairwise(starts)) >= 30
