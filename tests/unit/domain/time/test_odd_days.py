from __future__ import annotations

import pytest
from tests.support.clocks import Turn, clock_changes
from tests.support.odd_days import PAGE, STORIES, Story, page

from rota.domain.time.zone import load_zone


def test_the_page_of_odd_days_says_what_the_rules_do() -> None:
    assert PAGE.read_text() == page(), "python -m tests.support.odd_days writes it anew"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.zone)
def test_each_zone_shows_a_change(story: Story) -> None:
    zone = load_zone(story.zone)

    turns = [Turn.seen(zone, at) for year in story.years for at in clock_changes(zone, year)]

    assert turns
    assert all(f"{min(turn.was, turn.reads):%A, %-d %B %Y}" in PAGE.read_text() for turn in turns)
