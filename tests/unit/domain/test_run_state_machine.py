"""Any sequence of steps, allowed or not: what must hold of a run after each of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.support.builders import ACME, FAILURE, HOUR, NOON, SECOND, a_job, a_run, next_id

from rota.domain.attempt import Outcome, Progress
from rota.domain.errors import TransitionError
from rota.domain.ids import WorkerId
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause, RunState

WORKERS = [WorkerId(next_id()) for _ in range(2)]
RUNNING = {RunState.RUNNING}
BREAKS_OFF = {RunState.QUEUED, RunState.RUNNING}
WAITS = {RunState.PENDING, RunState.RETRYING}
UNFINISHED = {state for state in RunState if not state.is_final}


class RunLife(RuleBasedStateMachine):
    run: Run
    max_attempts: int
    now: datetime

    @initialize(max_attempts=st.integers(1, 4), queued=st.booleans())
    def make(self, max_attempts: int, queued: bool) -> None:
        self.now = NOON
        self.max_attempts = max_attempts
        terms = a_job(max_attempts=max_attempts).terms()
        run = new_run(ACME, a_run().id, terms, Cause.API, now=self.now)
        self.run = run.accept_queued() if queued else run.accept()
        self.run.pull_events()

    @rule()
    def go(self) -> None:
        self._step(WAITS, lambda run: run.go(self.now))

    @rule()
    def line_up(self) -> None:
        self._step(WAITS, lambda run: run.line_up(self.now), news=False)

    @rule(reason=st.sampled_from(["", "replaced"]))
    def cancel(self, reason: str) -> None:
        if self.run.cancel_requested_at is None:
            self._step(UNFINISHED, lambda run: run.cancel(reason, self.now))

    @rule()
    def stop(self) -> None:
        self._step(RUNNING, lambda run: run.stop(self.now))

    @rule(worker=st.sampled_from(WORKERS), place=st.integers(1, 9))
    def start(self, worker: WorkerId, place: int) -> None:
        self._step({RunState.QUEUED}, lambda run: run.start(worker, place, self.now))

    @rule()
    def succeed(self) -> None:
        self._step(RUNNING, lambda run: run.succeed(None, self.now))

    @rule(retryable=st.booleans())
    def fail(self, retryable: bool) -> None:
        self._step(RUNNING, lambda run: run.fail(FAILURE, self.now, retryable=retryable))

    @rule(late=st.sampled_from([SECOND, 10 * SECOND, HOUR]))
    def expire(self, late: timedelta) -> None:
        self.now += late
        self._step(UNFINISHED, lambda run: run.expire(self.now), news=None)

    @rule()
    def lose(self) -> None:
        self._step(RUNNING, lambda run: run.lose(self.now, "silent"))

    @rule()
    def release(self) -> None:
        self._step(BREAKS_OFF, lambda run: run.release(self.now, "draining"))

    @rule()
    def progress(self) -> None:
        self._step(RUNNING, lambda run: run.note_progress(Progress(0.5), self.now))

    def _step(self, allowed_in: set[RunState], step: Callable[[Run], object], news: bool | None = True) -> None:
        """A step that is not allowed raises, and leaves everything as it was. `news` None: it may be any."""
        self.now += SECOND
        before = self._look()
        try:
            step(self.run)
        except TransitionError:
            assert before[0] not in allowed_in
            assert self._look() == before
            assert not self.run.is_changed
        else:
            assert before[0] in allowed_in
            is_news = bool(self.run.pull_events())
            assert news in (None, is_news)

    def _look(self) -> tuple[RunState, object]:
        run = self.run
        told = (run.attempt, run.attempts, run.worker_id, run.wake_at, run.rank, run.finished_at, run.error)
        return run.state, (*told, run.queued_at, run.cancel_requested_at)

    @invariant()
    def attempts_have_no_gaps(self) -> None:
        numbers = [ended.number for ended in self.run.attempts]
        assert numbers == list(range(1, len(numbers) + 1))
        has_one_going = self.run.state in (RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED)
        assert self.run.attempt == len(numbers) + has_one_going

    @invariant()
    def counted_attempts_stay_within_the_jobs_limit(self) -> None:
        counted = [ended for ended in self.run.attempts if ended.outcome is not Outcome.RELEASED]
        assert len(counted) <= self.max_attempts
        assert self.run.state.is_final or len(counted) < self.max_attempts

    @invariant()
    def what_is_final_has_ended_and_nothing_else_has(self) -> None:
        assert self.run.state.is_final == (self.run.finished_at is not None)

    @invariant()
    def somebody_will_look_at_it_again_until_it_is_final(self) -> None:
        run = self.run
        is_waited_for = run.wake_at is not None or run.rank is not None or run.state is RunState.QUEUED
        assert is_waited_for != run.state.is_final

    @invariant()
    def what_was_cancelled_is_not_tried_again(self) -> None:
        if self.run.cancel_requested_at is not None:
            assert self.run.state is RunState.RUNNING or self.run.state.is_final

    @invariant()
    def what_runs_has_an_owner(self) -> None:
        if self.run.state is RunState.RUNNING:
            assert self.run.worker_id in WORKERS
        if self.run.state in (RunState.PENDING, RunState.QUEUED):
            assert self.run.worker_id is None


TestRunLife = RunLife.TestCase
TestRunLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
