"""Rota under faults, shortly: real servers and workers are killed, stopped and cut off; every promise is checked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from tests.e2e.nemesis.campaign import Campaign
from tests.e2e.nemesis.plan import draw_plan, spread_plan

FAULTS = (
    "kill_leader",
    "stop_leader",
    "kill_worker",
    "stop_worker",
    "kill_nats",
    "wipe_nats",
    "delete_work",
    "stop_postgres",
)
UNELECTED_FAULTS = ("kill_server", "stop_server", "kill_worker", "stop_postgres")


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


@pytest.mark.timeout(240)
async def test_nothing_is_lost_and_nothing_done_twice_while_everything_fails_once(place: Path) -> None:
    campaign = Campaign(directory=place, seed=1, seconds=32, plan=spread_plan(1, 32, FAULTS))

    report = await campaign.carry_out()
    report.write(place)

    assert report.passed, report.as_text()


@pytest.mark.timeout(180)
async def test_two_servers_that_both_tick_are_as_safe_as_one(place: Path) -> None:
    points = "fire.before_commit:stop:0.05,fire.after_commit:kill:0.02"
    plan = spread_plan(2, 12, UNELECTED_FAULTS)
    campaign = Campaign(directory=place, seed=2, seconds=12, plan=plan, elected=False, points=points)

    report = await campaign.carry_out()
    report.write(place)

    assert report.passed, report.as_text()


def test_a_seed_gives_the_same_plan_again() -> None:
    assert draw_plan(7, 600) == draw_plan(7, 600)
    assert draw_plan(7, 600) != draw_plan(8, 600)
