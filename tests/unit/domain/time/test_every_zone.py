"""Every zone of the tz database at each of its clock changes of ten years.

What is cheap is asked of all of them; a sample, drawn anew each time, is compared with the minute-by-minute oracle.
`ROTA_SEED=… pytest …` draws again what has failed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from itertools import cycle, pairwise
from random import Random, SystemRandom
from zoneinfo import ZoneInfo

import pytest
from tests.support.clocks import EVERY_READING, FIXED, HOUR, MINUTE, POLICIES, ZONES, Clock, Rule, Turn, clock_changes

from rota.domain.time.cron import parse_cron
from rota.domain.time.rrule import RFC_5545
from rota.domain.time.rrule_text import parse_rrule
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone

YEARS = range(2019, 2029)
SAMPLE = 80
HALF_HOUR = 30 * MINUTE
DAY = 24 * HOUR
BEGIN, END = datetime(YEARS[0], 1, 1, tzinfo=UTC), datetime(YEARS[-1] + 1, 1, 1, tzinfo=UTC)


@cache
def turns_of(zone: ZoneInfo) -> tuple[Turn, ...]:
    return tuple(Turn.seen(zone, at) for year in YEARS for at in clock_changes(zone, year))


@cache
def all_turns() -> tuple[Turn, ...]:
    return tuple(turn for name in ZONES for turn in turns_of(load_zone(name)))


@cache
def different_zones() -> tuple[ZoneInfo, ...]:
    """One of those whose clocks read the same in these years."""
    found: dict[object, ZoneInfo] = {}
    for zone in map(load_zone, ZONES):
        looks = tuple((turn.at, turn.reads) for turn in turns_of(zone))
        found.setdefault((BEGIN.astimezone(zone).utcoffset(), looks), zone)
    return tuple(found.values())


def near(turn: Turn, wall: datetime, change: ClockChange | None) -> list[datetime]:
    """When a daily rule at that local time is due around the change; the days before and after are too far away."""
    daily = parse_cron(f"{wall.minute} {wall.hour} * * *")
    return list(daily.between(turn.at - 11 * HOUR, turn.at + 11 * HOUR, turn.zone, change))


def names(turns: Iterable[Turn]) -> set[str]:
    return {turn.zone.key for turn in turns}


def test_there_are_many_changes_to_look_at() -> None:
    assert len(ZONES) > 580
    assert len(all_turns()) > 3000
    assert {"Africa/Casablanca", "Australia/Lord_Howe", "America/Nuuk", "Antarctica/Troll"} <= names(all_turns())


def test_a_skipped_time_is_due_as_often_as_its_policy_says() -> None:
    for turn in all_turns():
        if turn.is_gap:
            length = turn.reads - turn.was
            for late in (0 * MINUTE, length // 2, length - MINUTE):
                due = {gap: near(turn, turn.was + late, ClockChange(gap=gap)) for gap in Gap}

                assert due == {Gap.NEXT_VALID: [turn.at], Gap.SHIFT: [turn.at + late], Gap.SKIP: []}, turn
                assert near(turn, turn.was + late, None) == [turn.at], turn


def test_a_repeated_time_is_due_as_often_as_its_policy_says() -> None:
    for turn in all_turns():
        if not turn.is_gap:
            length = turn.was - turn.reads
            for late in (0 * MINUTE, length // 2, length - MINUTE):
                first, last = turn.at - length + late, turn.at + late
                due = {overlap: near(turn, turn.reads + late, ClockChange(overlap=overlap)) for overlap in Overlap}

                assert due == {Overlap.FIRST: [first], Overlap.LAST: [last], Overlap.BOTH: [first, last]}, turn
                assert near(turn, turn.reads + late, None) == [first], turn


def test_the_times_at_the_edges_of_a_change_are_due_once_whatever_the_policy() -> None:
    for turn, policy in zip(all_turns(), cycle(POLICIES), strict=False):
        low, high = sorted((turn.was, turn.reads))

        before, after = low - MINUTE, high

        assert len(near(turn, before, policy)) == len(near(turn, after, policy)) == 1, (turn, policy)


def test_whatever_the_policy_due_times_rise_and_no_instant_is_due_twice() -> None:
    rule = parse_cron("*/10 * * * *")

    for zone in different_zones():
        for turn in turns_of(zone):
            for policy in POLICIES:
                due = list(rule.between(turn.at - 3 * HOUR, turn.at + 3 * HOUR, zone, policy))

                assert all(earlier < later for earlier, later in pairwise(due)), (turn, policy)
                assert all(each == turn.at or each.astimezone(zone).minute % 10 == 0 for each in due), (turn, policy)


def test_every_half_hour_is_every_half_hour_on_the_days_of_a_change_too() -> None:
    rule = parse_cron("*/30 * * * *")

    for turn in all_turns():
        due = list(rule.between(turn.at - DAY, turn.at + DAY, turn.zone))

        assert len(due) == 96, turn
        assert {later - earlier for earlier, later in pairwise(due)} == {HALF_HOUR}, turn


@pytest.mark.parametrize("text", ["30 0 * * *", "15 2 * * *"])
def test_a_daily_time_is_due_once_on_each_local_date_of_ten_years(text: str) -> None:
    rule = parse_cron(text)

    for zone in different_zones():
        dates = [at.astimezone(zone).date() for at in rule.between(BEGIN, END, zone)]

        assert {later - earlier for earlier, later in pairwise(dates)} == {DAY}, zone.key
        assert len(dates) in (3652, 3653, 3654), zone.key


def test_a_sample_is_due_when_a_clock_that_is_read_each_minute_says() -> None:
    seed = int(os.environ.get("ROTA_SEED") or SystemRandom().randrange(1_000_000))
    print(f"ROTA_SEED={seed}")
    chance = Random(seed)

    for turn in chance.sample(all_turns(), SAMPLE):
        clock = Clock(turn.zone, turn.at - 52 * HOUR, turn.at + 52 * HOUR)
        low, high = turn.at - 26 * HOUR, turn.at + 26 * HOUR
        for policy in (None, *chance.sample(POLICIES, 2)):
            rule, recurrence = a_rule(chance), a_recurrence(chance)

            expected = [due for due in clock.due(rule.matches, policy or rule.default_change) if low < due <= high]
            assert list(parse_cron(rule.text).between(low, high, turn.zone, policy)) == expected, (turn, rule, policy)

            expected = [due for due in clock.due(recurrence.matches, policy or RFC_5545) if low < due <= high]
            found = parse_rrule(recurrence.text).between(low, high, datetime(2018, 1, 1), turn.zone, policy)
            assert list(found) == expected, (turn, recurrence, policy)


def a_rule(chance: Random) -> Rule:
    (minute, minutes), (hour, hours) = a_field(chance, 60), a_field(chance, 24)
    return Rule(f"{minute} {hour} * * *", frozenset({0}), minutes, hours)


def a_recurrence(chance: Random) -> Rule:
    minutes, hours = (frozenset(chance.sample(range(size), chance.randint(1, 6))) for size in (60, 24))
    by = ";".join(f"{part}={','.join(map(str, sorted(of)))}" for part, of in (("BYHOUR", hours), ("BYMINUTE", minutes)))
    return Rule(f"FREQ=DAILY;{by}", frozenset({0}), minutes, hours)


def a_field(chance: Random, size: int) -> tuple[str, frozenset[int]]:
    """As text and as numbers: all, every nth, or a list."""
    step, some = chance.choice((2, 5, 7, 15, 20)), chance.sample(range(size), chance.randint(1, 6))
    return chance.choice(
        (
            ("*", frozenset(range(size))),
            (f"*/{step}", frozenset(range(0, size, step))),
            (",".join(map(str, some)), frozenset(some)),
        )
    )


def test_the_defaults_are_those_of_debians_cron() -> None:
    assert parse_cron("0 2 * * *").default_change == FIXED
    assert parse_cron("* 2 * * *").default_change == parse_cron("0 * * * *").default_change == EVERY_READING
