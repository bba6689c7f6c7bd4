"""Any sequence of what callers, leaders and workers do: what limits and overlap promise holds after each step of it,
and whatever was begun comes to an end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.builders import ACME, FAILURE, MINUTE, NOON, SECOND, a_job, a_schedule
from tests.unit.application.house import House, InTurns

from rota.application.cancel_run import CancelRun
from rota.application.catch_up import CatchUpOnce
from rota.application.command import Message
from rota.application.create_runs import RunDraft
from rota.application.disable_schedule import DisableSchedule
from rota.application.dispatch_runs import DispatchRuns
from rota.application.enable_schedule import EnableSchedule
from rota.application.fire_schedules import FireSchedules
from rota.application.follow_ends import FollowEnds
from rota.application.judge_workers import JudgeWorkers
from rota.application.look_at_lanes import LookAtLanes
from rota.application.retry_run import RetryRun
from rota.application.take_reports import ReportKind
from rota.application.trigger_schedule import TriggerSchedule
from rota.application.wake_runs import WakeRuns
from rota.domain.errors import OverlapError
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.run_life import CANCEL_GRACE
from rota.domain.schedule import Schedule
from rota.domain.terms import RateLimit
from rota.domain.trigger import FixedDelay, FixedRate, Trigger

JOB = "reports.daily"
LEADING: tuple[Message[Any], ...] = (FireSchedules(epoch=1), WakeRuns(), FollowEnds(), DispatchRuns())
"""One round of a leader's loop. Any: each has an answer of its own."""
UNDER_WAY = frozenset({RunState.QUEUED, RunState.RUNNING})
ROUNDS = 400
"""In so many minutes everything that the longest sequence of steps can begin has ended."""

one_of = st.integers(0, 9)
"""Which of those there are."""
customers = st.sampled_from([None, 7, 8])
payloads = customers.map(lambda customer: None if customer is None else Json(f'{{"customer": {customer}}}'))
triggers = st.sampled_from([FixedRate(10 * SECOND, NOON), FixedDelay(10 * SECOND)])
limits = st.fixed_dictionaries(
    {
        "max_concurrent": st.sampled_from([None, 1, 2]),
        "concurrency_key": st.sampled_from([None, "/customer"]),
        "rate_limit": st.sampled_from([None, None, RateLimit(2, 10 * SECOND)]),
        "start_by": st.sampled_from([None, None, 30 * SECOND]),
        "deadline": st.sampled_from([None, None, 2 * MINUTE]),
        "timeout": st.just(20 * SECOND),
        "max_attempts": st.integers(1, 3),
    }
)


class Works(RuleBasedStateMachine):
    """One job, two schedules of it, and two processes that both believe they lead."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.schedules: list[Schedule] = []

    def do(self, step: Coroutine[Any, Any, object]) -> None:
        self.runner.run(step)

    @initialize(
        limits=limits,
        triggers=st.tuples(triggers, triggers),
        overlaps=st.tuples(st.sampled_from(Overlap), st.sampled_from(Overlap)),
        payloads=st.tuples(payloads, payloads),
        policy=st.sampled_from(MisfirePolicy),
    )
    def begin(
        self,
        limits: dict[str, Any],
        triggers: tuple[Trigger, Trigger],
        overlaps: tuple[Overlap, Overlap],
        payloads: tuple[Json | None, Json | None],
        policy: MisfirePolicy,
    ) -> None:
        self.house = House()
        self.processes = [self.house.wired(InTurns(self.house.begin)) for _ in range(2)]
        job = a_job(**limits)
        self.most = job.definition.max_concurrent
        self.schedules = [
            a_schedule(
                trigger, job=job, name=str(trigger) + str(place), overlap=overlap, payload=payload, policy=policy
            )
            for place, (trigger, overlap, payload) in enumerate(zip(triggers, overlaps, payloads, strict=True))
        ]
        self.do(self.house.has(job, *self.schedules))

    # What callers do

    @rule(count=st.integers(1, 5), payload=payloads, priority=st.integers(-2, 2), later=st.sampled_from([0, 15]))
    def create(self, count: int, payload: Json | None, priority: int, later: int) -> None:
        run_at = self.house.clock.now() + later * SECOND
        drafts = [RunDraft(job=JOB, payload=payload, priority=priority, run_at=run_at)] * count
        self.do(self.house.create(*drafts))

    @rule(which=one_of)
    def trigger(self, which: int) -> None:
        self.do(self._trigger(self.schedules[which % 2]))

    async def _trigger(self, schedule: Schedule) -> None:
        try:
            await self.house.handle(TriggerSchedule(tenant_id=ACME, schedule_id=schedule.id))
        except OverlapError:
            assert schedule.definition.overlap in (Overlap.SKIP, Overlap.QUEUE_ONE)

    @rule(which=one_of, kind=st.sampled_from([DisableSchedule, EnableSchedule]))
    def switch(self, which: int, kind: type[DisableSchedule] | type[EnableSchedule]) -> None:
        self.do(self.house.handle(kind(tenant_id=ACME, schedule_id=self.schedules[which % 2].id)))

    @precondition(lambda self: self.those(*UNDER_WAY, RunState.PENDING, RunState.RETRYING))
    @rule(which=one_of)
    def cancel(self, which: int) -> None:
        run = self.pick(which, *UNDER_WAY, RunState.PENDING, RunState.RETRYING)
        self.do(self.house.handle(CancelRun(tenant_id=ACME, run_id=run.id)))

    @precondition(lambda self: self.of_nobodys_schedule(RunState.DEAD, RunState.CANCELLED))
    @rule(which=one_of)
    def retry(self, which: int) -> None:
        found = self.of_nobodys_schedule(RunState.DEAD, RunState.CANCELLED)
        self.do(self.house.handle(RetryRun(tenant_id=ACME, run_id=found[which % len(found)].id)))

    # What leaders do

    @rule(seconds=st.sampled_from([1, 10, 45]))
    def time_goes_by(self, seconds: int) -> None:
        self.house.clock.advance(timedelta(seconds=seconds))

    @rule(leader=st.integers(0, 1))
    def lead(self, leader: int) -> None:
        self.house.clock.advance(SECOND)
        self.do(self._lead(leader))

    @rule(leader=st.integers(0, 1), step=st.sampled_from([*LEADING, CatchUpOnce(), LookAtLanes()]))
    def do_one_thing(self, leader: int, step: Message[Any]) -> None:
        self.do(self.processes[leader].bus.handle(step))

    @rule()
    def lead_both_at_once(self) -> None:
        self.house.clock.advance(SECOND)
        self.do(self._both(*LEADING))

    @rule()
    def give_turns_both_at_once(self) -> None:
        self.do(self._both(DispatchRuns()))

    @rule()
    def lead_while_the_bus_is_away(self) -> None:
        self.house.lanes.up = False
        self.do(self._lead(0))
        self.house.lanes.up = True

    async def _lead(self, leader: int) -> None:
        for step in LEADING:
            await self.processes[leader].bus.handle(step)

    async def _both(self, *steps: Message[Any]) -> None:
        await asyncio.gather(*(process.bus.handle(step) for step in steps for process in self.processes))

    # What workers do

    @precondition(lambda self: self.those(RunState.QUEUED))
    @rule(which=one_of)
    def start(self, which: int) -> None:
        self.do(self.house.start(self.pick(which, RunState.QUEUED)))

    @precondition(lambda self: self.those(*UNDER_WAY))
    @rule(which=one_of)
    def succeed(self, which: int) -> None:
        self.do(self.house.succeed(self.pick(which, *UNDER_WAY)))

    @precondition(lambda self: self.those(*UNDER_WAY))
    @rule(which=one_of, retryable=st.booleans())
    def fail(self, which: int, retryable: bool) -> None:
        self.do(self.house.fail(self.pick(which, *UNDER_WAY), error=FAILURE, retryable=retryable))

    @precondition(lambda self: self.those(RunState.RUNNING))
    @rule(which=one_of, kind=st.sampled_from([ReportKind.RELEASED, ReportKind.CANCELLED]))
    def hand_back(self, which: int, kind: ReportKind) -> None:
        self.do(self.house.report(kind, self.pick(which, RunState.RUNNING)))

    @precondition(lambda self: self.those(RunState.RUNNING))
    @rule()
    def lose_the_worker(self) -> None:
        self.do(self._lose_the_worker())

    async def _lose_the_worker(self) -> None:
        worker = self.house.hands.pop(ACME, None)
        if worker is None:  # it was lost before, and what runs is what it had
            return
        async with self.house.begin() as work:
            (await work.workers.get(ACME, worker.id)).give_up("silent", now=self.house.clock.now())
            await work.commit()
        await self.house.handle(JudgeWorkers())

    # What holds after each step

    @invariant()
    def no_more_go_than_the_job_allows(self) -> None:
        assert self.most is None or len(self.those(*UNDER_WAY)) <= self.most

    @invariant()
    def no_two_go_of_one_concurrency_key(self) -> None:
        going = Counter(run.concurrency_key for run in self.those(*UNDER_WAY) if run.concurrency_key)
        assert not going or max(going.values()) == 1

    @invariant()
    def no_two_go_of_one_schedule_that_does_not_let_them(self) -> None:
        for schedule in self.exclusive():
            assert sum(run.state in UNDER_WAY for run in self.unfinished_of(schedule)) <= 1

    @invariant()
    def no_more_wait_for_an_end_than_their_schedule_lets(self) -> None:
        most = {Overlap.SKIP: 0, Overlap.QUEUE_ONE: 1}
        for schedule in self.exclusive():
            unfinished = self.unfinished_of(schedule)
            before_the_gate = [run for run in unfinished if not (run.parked_on or "").startswith("schedule:")]
            assert len(before_the_gate) <= 1
            if schedule.definition.overlap in most:
                assert len(unfinished) - len(before_the_gate) <= most[schedule.definition.overlap]

    @invariant()
    def somebody_will_look_at_each_run_again(self) -> None:
        for run in self.unfinished():
            assert run.wake_at is not None or run.rank is not None or run.state is RunState.QUEUED
            assert run.parked_on is None or run.rank is not None

    @invariant()
    def what_is_to_stop_is_not_tried_again_and_has_only_so_long(self) -> None:
        for run in self.unfinished():
            if run.cancel_requested_at is not None:
                assert run.state is RunState.RUNNING
                assert run.wake_at is not None
                assert run.wake_at <= run.cancel_requested_at + CANCEL_GRACE

    @invariant()
    def each_run_ends_once(self) -> None:
        final = {f"run.{state.lower()}" for state in RunState if state.is_final}
        ends = Counter(entry.subject for entry in self.house.store.tables.events if entry.type in final)
        ended = [run.id for run in self.house.store.tables.runs.values() if run.state.is_final]
        assert ends == Counter(ended)

    def teardown(self) -> None:
        try:
            if self.schedules:
                self.do(self._everything_ends())
        finally:
            self.runner.close()

    async def _everything_ends(self) -> None:
        """No due time comes any more, and workers do all that reaches them."""
        house = self.house
        for schedule in self.schedules:
            await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id))
        for _ in range(ROUNDS):
            while await house.handle(CatchUpOnce()):
                pass
            await self._lead(0)
            await house.succeed(*self.those(*UNDER_WAY))
            if not self.unfinished():
                return
            house.clock.advance(10 * SECOND)
        raise AssertionError(f"stuck: {self.unfinished()}")

    # What there is

    def unfinished(self) -> list[Run]:
        return sorted(self.house.store.tables.unfinished.values(), key=lambda run: run.id)

    def those(self, *states: RunState) -> list[Run]:
        return [run for run in self.unfinished() if run.state in states]

    def pick(self, which: int, *states: RunState) -> Run:
        found = self.those(*states)
        return found[which % len(found)]

    def of_nobodys_schedule(self, *states: RunState) -> list[Run]:
        runs = self.house.store.tables.runs.values()
        return sorted((run for run in runs if run.state in states and run.schedule_id is None), key=lambda run: run.id)

    def exclusive(self) -> Iterable[Schedule]:
        return (each for each in self.schedules if each.definition.overlap is not Overlap.ALLOW)

    def unfinished_of(self, schedule: Schedule) -> list[Run]:
        return [run for run in self.unfinished() if run.schedule_id == schedule.id]


TestWorks = Works.TestCase
TestWorks.settings = settings(max_examples=80, stateful_step_count=100, deadline=None)
