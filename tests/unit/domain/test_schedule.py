"""A schedule walks its due times once, in order, whatever happens to it on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import (
    ACME,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_job,
    a_schedule,
    a_schedule_definition,
    next_id,
)

from rota.domain.decision import Decision
from rota.domain.errors import InvalidError
from rota.domain.ids import RunId, ScheduleId
from rota.domain.misfire import DueTime, MisfirePolicy, Span
from rota.domain.payload import Json
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_events import RunsMissed, ScheduleCreated, ScheduleEnabled, ScheduleUpdated
from rota.domain.trigger import Cron, FixedRate, OneShot
from rota.domain.walk import PORTION

FIRE_ONCE, FIRE_ALL, SKIP = MisfirePolicy.FIRE_ONCE, MisfirePolicy.FIRE_ALL, MisfirePolicy.SKIP
JUST = timedelta(microseconds=1)


def minute(number: int) -> datetime:
    """The due times of an ordinary schedule: `minute(0)` is NOON."""
    return NOON + number * MINUTE


def due(*instants: datetime) -> tuple[DueTime, ...]:
    return tuple(DueTime(instant, instant) for instant in instants)


def types(schedule: Schedule) -> list[str]:
    return [event.type for event in schedule.pull_events()]


def decide_all(schedule: Schedule, now: datetime) -> list[Decision]:
    decisions = []
    while schedule.is_due(now):
        decisions.append(schedule.decide(now))
    return decisions


class TestFiring:
    def test_what_is_due_fires_and_the_schedule_looks_ahead(self) -> None:
        schedule = a_schedule()

        decision = schedule.decide(minute(0))

        assert decision == Decision(fire=due(minute(0)))
        assert schedule.next == due(minute(1))[0]
        assert schedule.last_fire_at == minute(0)

    def test_before_its_time_nothing_is_due(self) -> None:
        schedule = a_schedule(now=NOON + SECOND)

        assert not schedule.is_due(minute(1) - JUST)
        assert schedule.decide(minute(1) - JUST) == Decision()
        assert schedule.next == due(minute(1))[0]

    def test_a_due_time_is_decided_once(self) -> None:
        schedule = a_schedule()
        schedule.decide(minute(0))

        assert schedule.decide(minute(0)) == Decision()

    def test_all_that_is_due_inside_the_grace_fires(self) -> None:
        schedule = a_schedule(FixedRate(10 * SECOND, NOON))

        decision = schedule.decide(NOON + 25 * SECOND)

        assert decision.fire == due(NOON, NOON + 10 * SECOND, NOON + 20 * SECOND)

    def test_firing_records_no_event_of_the_schedule(self) -> None:
        schedule = a_schedule()

        schedule.decide(minute(0))

        assert types(schedule) == []
        assert schedule.version == 1

    def test_a_run_carries_what_its_schedule_says(self) -> None:
        schedule = a_schedule(payload=Json('{"kind": "full"}'), labels={"team": "bi"})
        run_id = RunId(next_id())

        run = schedule.run_for(due(minute(0))[0], run_id, now=minute(0) + SECOND, epoch=7)

        assert (run.id, run.tenant_id, run.schedule_id, run.job) == (run_id, ACME, schedule.id, a_job().terms())
        assert (run.scheduled_for, run.due_at, run.fired_at) == (minute(0), minute(0), minute(0) + SECOND)
        assert (run.cause, run.fired_epoch, run.payload) == (Cause.SCHEDULE, 7, '{"kind": "full"}')
        assert (run.labels, run.state) == ({"team": "bi"}, RunState.PENDING)


class TestMisfires:
    """Nobody looked from 12:00 to 12:10:40: eleven due times, all out of their grace."""

    NOW = minute(10) + 40 * SECOND

    def test_fire_once_fires_the_latest_and_records_the_others_as_one_miss(self) -> None:
        schedule = a_schedule(policy=FIRE_ONCE)

        decision = schedule.decide(self.NOW)

        assert decision.fire == due(minute(10))
        assert decision.miss is not None
        assert decision.miss.span == Span(minute(0), minute(9), 10)

    def test_fire_once_fires_no_misfire_beside_what_is_in_time(self) -> None:
        schedule = a_schedule(policy=FIRE_ONCE)

        decision = schedule.decide(minute(10) + SECOND)

        assert decision.fire == due(minute(10))
        assert decision.miss is not None
        assert decision.miss.span == Span(minute(0), minute(9), 10)

    def test_skip_records_one_miss_and_fires_none(self) -> None:
        schedule = a_schedule(policy=SKIP)

        decision = schedule.decide(self.NOW)

        assert decision.fire == ()
        assert decision.miss is not None
        assert (decision.miss.span, decision.miss.rule) == (Span(minute(0), minute(10), 11), "SKIP")
        assert schedule.last_fire_at is None

    def test_fire_all_sets_all_aside_to_be_caught_up_with(self) -> None:
        schedule = a_schedule(policy=FIRE_ALL)

        decision = schedule.decide(self.NOW)

        assert (decision.fire, decision.miss) == ((), None)
        assert decision.catch_up is not None
        assert (decision.catch_up.span, decision.catch_up.revision) == (Span(minute(0), minute(10), 11), 1)

    def test_fire_all_misses_what_lies_before_its_window(self) -> None:
        schedule = a_schedule(policy=FIRE_ALL, catchup_window=5 * MINUTE)

        decision = schedule.decide(self.NOW)

        assert decision.miss is not None
        assert decision.catch_up is not None
        assert decision.miss.span == Span(minute(0), minute(5), 6)
        assert decision.catch_up.span == Span(minute(6), minute(10), 5)

    def test_a_miss_is_told(self) -> None:
        schedule = a_schedule(policy=SKIP)

        decision = schedule.decide(self.NOW)

        (event,) = schedule.pull_events()
        assert isinstance(event, RunsMissed)
        assert decision.miss is not None
        assert (event.type, event.subject, event.span, event.rule) == (
            "run.missed",
            schedule.id,
            decision.miss.span,
            "SKIP",
        )

    def test_after_it_the_schedule_goes_on_as_if_nothing_had_been(self) -> None:
        schedule = a_schedule(policy=SKIP)
        schedule.decide(self.NOW)

        assert schedule.decide(minute(11)) == Decision(fire=due(minute(11)))

    def test_what_was_decided_is_counted(self) -> None:
        schedule = a_schedule(policy=FIRE_ALL, catchup_window=5 * MINUTE)

        assert schedule.decide(minute(11)).count == 12


class TestCatchingUp:
    def test_what_was_set_aside_is_made_in_order(self) -> None:
        schedule = a_schedule(policy=FIRE_ALL)
        catch_up = schedule.decide(minute(3) + 40 * SECOND).catch_up
        assert catch_up is not None

        assert tuple(schedule.due_times_of(catch_up)) == due(minute(0), minute(1), minute(2), minute(3))

    def test_it_goes_on_behind_what_is_made(self) -> None:
        schedule = a_schedule(policy=FIRE_ALL)
        catch_up = schedule.decide(minute(3) + 40 * SECOND).catch_up
        assert catch_up is not None

        assert tuple(schedule.due_times_of(replace(catch_up, made_to=minute(1)))) == due(minute(2), minute(3))


class TestALongBacklog:
    NOW = NOON + (2 * PORTION + 5000) * SECOND

    @pytest.mark.parametrize("policy", MisfirePolicy)
    def test_it_is_judged_in_portions_and_nothing_is_judged_twice_or_passed_over(self, policy: MisfirePolicy) -> None:
        schedule = a_schedule(FixedRate(SECOND, NOON), policy=policy)

        decisions = decide_all(schedule, self.NOW)

        assert [decision.count for decision in decisions] == [PORTION, PORTION, 5001]
        assert sum(decision.count for decision in decisions) == 2 * PORTION + 5001

    def test_fire_once_fires_only_at_its_end(self) -> None:
        schedule = a_schedule(FixedRate(SECOND, NOON), policy=FIRE_ONCE, grace=0 * SECOND)

        decisions = decide_all(schedule, self.NOW + JUST)

        assert [decision.fire for decision in decisions] == [(), (), due(self.NOW)]

    def test_just_one_portion_is_judged_at_once(self) -> None:
        now = NOON + (PORTION - 1) * SECOND
        schedule = a_schedule(FixedRate(SECOND, NOON), policy=FIRE_ONCE, grace=0 * SECOND)

        (decision,) = decide_all(schedule, now + JUST)

        assert decision.fire == due(now)


class TestMaxRuns:
    def test_after_the_last_run_nothing_more_comes(self) -> None:
        schedule = a_schedule(max_runs=2)

        decide_all(schedule, minute(0))
        decide_all(schedule, minute(1))

        assert (schedule.next, schedule.runs_made, schedule.enabled) == (None, 2, True)
        assert schedule.snapshot().next_fire_at is None

    def test_what_it_cuts_off_is_no_due_time(self) -> None:
        schedule = a_schedule(FixedRate(10 * SECOND, NOON), max_runs=2)

        decision = schedule.decide(NOON + 25 * SECOND)

        assert decision == Decision(fire=due(NOON, NOON + 10 * SECOND))

    def test_misses_do_not_count(self) -> None:
        schedule = a_schedule(max_runs=1, policy=SKIP)

        schedule.decide(minute(10) + 40 * SECOND)

        assert schedule.runs_made == 0
        assert schedule.decide(minute(11)).fire == due(minute(11))

    def test_what_is_caught_up_with_counts_before_what_is_in_time(self) -> None:
        schedule = a_schedule(max_runs=3, policy=FIRE_ALL)

        decision = schedule.decide(minute(2) + SECOND)

        assert decision.catch_up is not None
        assert decision.catch_up.span == Span(minute(0), minute(1), 2)
        assert decision.fire == due(minute(2))
        assert schedule.next is None

    def test_when_raised_the_schedule_goes_on_from_then(self) -> None:
        schedule = a_schedule(max_runs=1)
        schedule.decide(minute(0))

        schedule.change(replace(schedule.definition, max_runs=2), now=minute(10) + SECOND)

        assert schedule.next == due(minute(11))[0]

    def test_when_lowered_below_what_was_made_nothing_more_comes(self) -> None:
        schedule = a_schedule(max_runs=3)
        decide_all(schedule, minute(0))
        decide_all(schedule, minute(1))

        schedule.change(replace(schedule.definition, max_runs=1), now=minute(1) + SECOND)

        assert schedule.next is None


class TestStartAndEnd:
    def test_the_start_is_included(self) -> None:
        schedule = a_schedule(start_at=minute(5), now=minute(2))

        assert schedule.next == due(minute(5))[0]

    def test_the_end_is_not(self) -> None:
        schedule = a_schedule(end_at=minute(2))

        decision = schedule.decide(minute(5))

        assert decision.count == 2
        assert decision.fire == due(minute(1))
        assert schedule.next is None

    def test_a_start_that_is_past_brings_nothing_back(self) -> None:
        schedule = a_schedule(start_at=minute(0), now=minute(3) + SECOND)

        assert schedule.next == due(minute(4))[0]

    def test_a_rate_without_an_anchor_begins_at_the_start(self) -> None:
        schedule = a_schedule(FixedRate(HOUR), start_at=minute(7), now=NOON)

        assert [each.scheduled_for for each in islice(schedule.upcoming(NOON), 3)] == [
            minute(7),
            minute(7) + HOUR,
            minute(7) + 2 * HOUR,
        ]

    def test_a_rate_without_anchor_or_start_begins_at_its_creation(self) -> None:
        schedule = a_schedule(FixedRate(HOUR), now=minute(3) + JUST)

        assert schedule.next == due(minute(3) + JUST)[0]

    def test_when_the_end_is_moved_back_the_schedule_goes_on_from_then(self) -> None:
        schedule = a_schedule(end_at=minute(1))
        schedule.decide(minute(0))

        schedule.change(replace(schedule.definition, end_at=None), now=minute(10) + SECOND)

        assert schedule.next == due(minute(11))[0]


class TestArming:
    """No due time lies before the creation, the last change of the trigger or the last enabling."""

    def test_creation_brings_no_earlier_due_time(self) -> None:
        schedule = a_schedule(FixedRate(MINUTE, NOON - HOUR), now=minute(0) + JUST)

        assert schedule.next == due(minute(1))[0]

    def test_a_due_time_at_the_moment_of_creation_is_one(self) -> None:
        schedule = a_schedule(now=minute(3))

        assert schedule.next == due(minute(3))[0]

    def test_a_new_trigger_rules_from_its_change_on(self) -> None:
        schedule = a_schedule()
        schedule.decide(minute(0))

        schedule.change(replace(schedule.definition, trigger=FixedRate(HOUR, NOON)), now=minute(0) + SECOND)

        assert schedule.next == due(NOON + HOUR)[0]

    def test_a_new_zone_moves_the_due_times(self) -> None:
        schedule = a_schedule(Cron("0 14 * * *"), now=NOON)

        schedule.change(replace(schedule.definition, tz="Europe/Berlin"), now=NOON + SECOND)

        assert schedule.next == due(NOON + HOUR)[0]

    def test_what_fell_due_while_it_was_disabled_is_neither_run_nor_missed(self) -> None:
        schedule = a_schedule()
        schedule.decide(minute(0))
        schedule.disable("holidays", now=minute(0) + SECOND)

        schedule.enable("back", now=minute(5) + SECOND)

        assert schedule.decide(minute(6)) == Decision(fire=due(minute(6)))

    def test_other_changes_leave_the_due_times_alone(self) -> None:
        schedule = a_schedule()
        schedule.decide(minute(0))

        schedule.change(replace(schedule.definition, description="each minute"), now=minute(0) + SECOND)

        assert schedule.next == due(minute(1))[0]

    def test_what_is_decided_at_the_moment_of_a_change_is_not_due_again(self) -> None:
        schedule = a_schedule()
        schedule.decide(minute(0))

        schedule.change(replace(schedule.definition, description="each minute"), now=minute(0))

        assert schedule.next == due(minute(1))[0]


class TestChanging:
    def test_it_counts_the_version_up_and_tells_the_whole(self) -> None:
        schedule = a_schedule()

        schedule.change(replace(schedule.definition, name="weekly-report"), now=minute(1))

        (event,) = schedule.pull_events()
        assert isinstance(event, ScheduleUpdated)
        assert event.schedule == schedule.snapshot()
        assert (schedule.version, schedule.updated_at) == (2, minute(1))

    def test_what_is_the_same_changes_nothing(self) -> None:
        schedule = a_schedule()

        schedule.change(a_schedule().definition, now=minute(1))

        assert (schedule.version, schedule.updated_at, types(schedule)) == (1, NOON, [])

    def test_a_disabled_schedule_may_be_changed_and_still_does_not_fire(self) -> None:
        schedule = a_schedule(enabled=False)

        schedule.change(replace(schedule.definition, trigger=FixedRate(HOUR, NOON)), now=minute(1))

        assert (schedule.next, schedule.is_due(minute(600))) == (None, False)


class TestEnablingAndDisabling:
    def test_a_disabled_schedule_is_never_due(self) -> None:
        schedule = a_schedule()

        schedule.disable("holidays", now=NOON)

        assert not schedule.is_due(NOON + HOUR)
        assert schedule.snapshot().next_fire_at is None
        assert types(schedule) == ["schedule.disabled"]

    def test_both_count_the_version_up(self) -> None:
        schedule = a_schedule()

        schedule.disable("", now=NOON)
        schedule.enable("", now=NOON + HOUR)

        assert (schedule.version, schedule.updated_at) == (3, NOON + HOUR)

    def test_enabling_tells_what_comes_next(self) -> None:
        schedule = a_schedule(enabled=False)

        schedule.enable("back", now=minute(3) + SECOND)

        (event,) = schedule.pull_events()
        assert isinstance(event, ScheduleEnabled)
        assert (event.next_fire_at, event.reason, event.version) == (minute(4), "back", 2)

    @pytest.mark.parametrize("enabled", [True, False])
    def test_doing_it_twice_changes_nothing(self, enabled: bool) -> None:
        schedule = a_schedule(enabled=enabled)

        if enabled:
            schedule.enable("again", now=NOON + HOUR)
        else:
            schedule.disable("again", now=NOON + HOUR)

        assert (schedule.version, types(schedule)) == (1, [])

    def test_a_schedule_may_be_created_disabled(self) -> None:
        schedule = a_schedule(enabled=False)

        assert (schedule.next, schedule.enabled) == (None, False)


class TestOneShot:
    def test_it_fires_once(self) -> None:
        schedule = a_schedule(OneShot(minute(5)), now=NOON)

        assert schedule.decide(minute(5)) == Decision(fire=due(minute(5)))
        assert (schedule.next, schedule.enabled) == (None, True)

    def test_an_instant_already_past_is_a_due_time_like_another(self) -> None:
        schedule = a_schedule(OneShot(NOON - HOUR), now=NOON, policy=FIRE_ONCE)

        assert schedule.decide(NOON).fire == due(NOON - HOUR)

    def test_misfire_judges_it(self) -> None:
        schedule = a_schedule(OneShot(NOON - HOUR), now=NOON, policy=SKIP)

        decision = schedule.decide(NOON)

        assert decision.fire == ()
        assert decision.miss is not None
        assert decision.miss.span == Span(NOON - HOUR, NOON - HOUR, 1)

    def test_what_fell_due_while_it_was_disabled_is_due_when_it_is_enabled(self) -> None:
        schedule = a_schedule(OneShot(minute(5)), now=NOON)
        schedule.disable("", now=minute(1))

        schedule.enable("", now=minute(10))

        assert schedule.next == due(minute(5))[0]

    def test_enabled_in_time_it_waits_as_before(self) -> None:
        schedule = a_schedule(OneShot(minute(5)), now=NOON, enabled=False)

        schedule.enable("", now=minute(1))

        assert schedule.next == due(minute(5))[0]

    @pytest.mark.parametrize("policy", [FIRE_ONCE, SKIP])
    def test_once_decided_it_does_not_come_back_by_enabling(self, policy: MisfirePolicy) -> None:
        schedule = a_schedule(OneShot(NOON - HOUR), now=NOON, policy=policy)
        schedule.decide(NOON)

        schedule.disable("", now=minute(1))
        schedule.enable("", now=minute(2))

        assert schedule.next is None

    @pytest.mark.parametrize("policy", [FIRE_ONCE, SKIP])
    @pytest.mark.parametrize("change", [{"description": "just once"}, {"tz": "Europe/Berlin"}])
    def test_once_decided_it_does_not_come_back_by_a_change_that_leaves_its_instant(
        self, policy: MisfirePolicy, change: dict[str, Any]
    ) -> None:
        schedule = a_schedule(OneShot(NOON - HOUR), now=NOON, policy=policy)
        schedule.decide(NOON)

        schedule.change(replace(schedule.definition, **change), now=minute(1))  # Any: values of any field

        assert schedule.next is None

    def test_with_a_new_instant_it_fires_again(self) -> None:
        schedule = a_schedule(OneShot(minute(5)), now=NOON)
        schedule.decide(minute(5))

        schedule.change(replace(schedule.definition, trigger=OneShot(minute(9))), now=minute(6))

        assert schedule.next == due(minute(9))[0]

    def test_a_local_instant_moves_with_the_zone(self) -> None:
        schedule = a_schedule(OneShot(datetime(2026, 3, 2, 14)), now=NOON)

        schedule.change(replace(schedule.definition, tz="Europe/Berlin"), now=NOON + SECOND)

        assert schedule.next == due(NOON + HOUR)[0]


class TestDeleting:
    def test_a_deleted_schedule_is_never_due(self) -> None:
        schedule = a_schedule()

        schedule.delete(now=minute(0) + SECOND)

        assert (schedule.deleted_at, schedule.version) == (minute(0) + SECOND, 2)
        assert not schedule.is_due(NOON + HOUR)
        assert types(schedule) == ["schedule.deleted"]


class TestCreating:
    def test_a_new_schedule_tells_itself_whole(self) -> None:
        schedule = Schedule.create(ACME, ScheduleId(next_id()), a_schedule_definition(), now=NOON)

        (event,) = schedule.pull_events()
        assert isinstance(event, ScheduleCreated)
        assert event.schedule == schedule.snapshot()
        assert event.schedule.next_fire_at == NOON

    @pytest.mark.parametrize(
        ("field", "value", "named"),
        [
            ("name", "", "name"),
            ("name", "x" * 201, "name"),
            ("tz", "Mars/Olympus", "tz"),
            ("labels", {"": "x"}, "labels."),
            ("labels", {"k" * 64: "x"}, "labels." + "k" * 64),
            ("labels", {"team": "x" * 64}, "labels.team"),
            ("labels", {"team": "two\nlines"}, "labels.team"),
            ("labels", {str(n): "x" for n in range(65)}, "labels"),
            ("description", "x" * 2001, "description"),
            ("end_at", NOON, "endAt"),
            ("max_runs", 0, "maxRuns"),
        ],
    )
    def test_what_breaks_a_rule_is_refused_by_the_field(self, field: str, value: Any, named: str) -> None:
        definition = a_schedule_definition(start_at=NOON)

        with pytest.raises(InvalidError) as refusal:
            replace(definition, **{field: value})  # Any: a value of any field

        assert [fault.field for fault in refusal.value.faults] == [named]

    @pytest.mark.parametrize("edge", [datetime.min, datetime.max])
    @pytest.mark.parametrize("field", ["start_at", "end_at"])
    def test_a_bound_at_the_edge_of_the_calendar_is_refused_or_harmless(self, field: str, edge: datetime) -> None:
        bounds: dict[str, Any] = {field: edge.replace(tzinfo=UTC)}  # Any: of either field
        try:
            schedule = a_schedule(**bounds)
        except InvalidError:
            return

        assert list(islice(schedule.upcoming(NOON), 3)) == [] or schedule.next is not None
        assert len(list(schedule.due_times(NOON - HOUR, NOON + HOUR))) in (0, 61)


@given(
    policy=st.sampled_from(MisfirePolicy),
    grace=st.integers(0, 120),
    window=st.none() | st.integers(0, 300),
    looks=st.lists(st.integers(0, 900), min_size=1, max_size=8).map(sorted),
    every=st.integers(1, 90),
)
def test_each_due_time_gets_exactly_one_verdict_however_seldom_one_looks(
    policy: MisfirePolicy, grace: int, window: int | None, looks: list[int], every: int
) -> None:
    schedule = a_schedule(
        FixedRate(every * SECOND, NOON),
        policy=policy,
        grace=grace * SECOND,
        catchup_window=None if window is None else window * SECOND,
    )

    decided: list[datetime] = []
    for look in looks:
        for decision in decide_all(schedule, NOON + look * SECOND):
            decided += (each.scheduled_for for each in decision.fire)
            for span in (decision.miss and decision.miss.span, decision.catch_up and decision.catch_up.span):
                if span:
                    covered = [each.scheduled_for for each in schedule.due_times(span.first - JUST, span.last)]
                    assert len(covered) == span.count
                    decided += covered

    assert sorted(decided) == [NOON + n * SECOND for n in range(0, looks[-1] + 1, every)]
