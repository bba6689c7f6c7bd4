"""What a run may do, and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.support.builders import ACME, FAILURE, HOUR, MINUTE, NOON, SECOND, a_job, a_run, next_id

from rota.domain.attempt import Outcome, Progress, RunError
from rota.domain.errors import TransitionError
from rota.domain.ids import WorkerId
from rota.domain.payload import Json
from rota.domain.retry import Backoff, BackoffKind
from rota.domain.run import TIMEOUT_SLACK, Run, new_run
from rota.domain.run_events import Cause, RunState

MILL = WorkerId(next_id())
OTHER_MILL = WorkerId(next_id())
LATER = NOON + MINUTE


def a_new_run() -> Run:
    return new_run(ACME, a_run().id, a_job().terms(), Cause.API, now=NOON)


def types(run: Run) -> list[str]:
    return [event.type for event in run.pull_events()]


class TestMaking:
    def test_a_run_that_waits_is_pending_and_wakes_when_due(self) -> None:
        run = new_run(ACME, a_run().id, a_job().terms(), Cause.API, now=NOON, due_at=NOON + HOUR).accept()

        assert run.state is RunState.PENDING
        assert run.wake_at == NOON + HOUR
        assert types(run) == ["run.created"]

    def test_a_run_that_is_overdue_wakes_at_once_and_not_in_the_past(self) -> None:
        run = new_run(ACME, a_run().id, a_job().terms(), Cause.API, now=NOON, due_at=NOON - HOUR).accept()

        assert run.wake_at == NOON

    def test_a_run_with_credit_begins_as_queued(self) -> None:
        run = a_new_run().accept_queued()

        assert (run.state, run.attempt, run.queued_at) == (RunState.QUEUED, 1, NOON)
        assert run.wake_at is None
        assert types(run) == ["run.queued"]

    def test_unless_told_otherwise_a_run_is_due_now_and_correlates_with_itself(self) -> None:
        run = a_new_run()

        assert run.scheduled_for == run.due_at == run.created_at == NOON
        assert run.correlation_id == str(run.id)

    def test_it_was_fired_when_it_was_first_queued(self) -> None:
        run = a_new_run().accept()

        run.wake(LATER)

        assert run.fired_at == LATER


class TestWaking:
    def test_a_pending_run_is_queued(self) -> None:
        run = a_run(RunState.PENDING)

        run.wake(LATER)

        assert (run.state, run.attempt, run.wake_at) == (RunState.QUEUED, 1, None)
        assert types(run) == ["run.queued"]

    def test_a_retrying_run_is_queued_as_the_next_attempt(self) -> None:
        run = a_run(RunState.RETRYING)

        run.wake(LATER)

        assert (run.state, run.attempt) == (RunState.QUEUED, 2)
        assert run.fired_at == NOON

    def test_a_running_run_has_outlasted_its_time(self) -> None:
        run = a_run(RunState.RUNNING)

        run.wake(LATER)

        assert run.attempts[0].outcome is Outcome.TIMED_OUT
        assert run.error == RunError("Timeout", "no result within 300 s")
        assert types(run) == ["run.failed", "run.retrying"]

    def test_a_queued_run_waits_for_nothing(self) -> None:
        run = a_run(RunState.QUEUED)

        with pytest.raises(TransitionError):
            run.wake(LATER)

        assert (run.attempt, run.pull_events()) == (1, [])


class TestStarting:
    def test_the_attempt_has_an_owner_from_then_on(self) -> None:
        run = a_run(RunState.QUEUED)

        run.start(MILL, 17, LATER)

        assert (run.state, run.worker_id, run.started_at, run.started_place) == (RunState.RUNNING, MILL, LATER, 17)
        assert types(run) == ["run.started"]

    def test_the_server_looks_again_a_little_after_the_timeout(self) -> None:
        run = a_run(RunState.QUEUED, job=a_job(timeout=HOUR))

        run.start(MILL, 17, LATER)

        assert run.wake_at == LATER + HOUR + TIMEOUT_SLACK

    def test_the_next_attempt_begins_without_an_owner(self) -> None:
        run = a_run(RunState.RUNNING, worker_id=MILL)

        run.lose(LATER, "silent")

        assert (run.worker_id, run.started_at, run.started_place, run.sends) == (None, None, None, 0)


class TestReportsThatCount:
    def test_of_a_queued_run_the_first_worker_counts(self) -> None:
        run = a_run(RunState.QUEUED)

        assert run.is_current(1, MILL)

    def test_of_a_running_run_only_the_owner_counts(self) -> None:
        run = a_run(RunState.RUNNING, worker_id=MILL)

        assert run.is_current(1, MILL)
        assert not run.is_current(1, OTHER_MILL)

    def test_an_attempt_that_is_over_does_not_count(self) -> None:
        run = a_run(RunState.RUNNING, worker_id=MILL)
        run.lose(LATER, "silent")

        assert not run.is_current(1, MILL)
        assert run.is_current(2, MILL)

    @pytest.mark.parametrize("state", [state for state in RunState if state not in ("QUEUED", "RUNNING")])
    def test_nothing_counts_of_a_run_that_no_worker_should_have(self, state: RunState) -> None:
        run = a_run(state, worker_id=MILL)

        assert not run.is_current(run.attempt, MILL)


class TestSucceeding:
    def test_the_result_is_kept_and_an_earlier_error_is_not(self) -> None:
        run = a_run(RunState.RETRYING)
        run.wake(LATER)
        run.start(MILL, 17, LATER)

        run.succeed(Json("[3]"), LATER + SECOND)

        assert (run.state, run.result, run.error) == (RunState.SUCCEEDED, "[3]", None)
        assert (run.finished_at, run.wake_at) == (LATER + SECOND, None)
        assert types(run)[-1] == "run.succeeded"

    def test_the_attempt_that_failed_before_is_still_told(self) -> None:
        run = a_run(RunState.RETRYING)
        run.wake(LATER)
        run.start(MILL, 17, LATER)

        run.succeed(None, LATER)

        assert [(ended.number, ended.outcome, ended.error) for ended in run.attempts] == [(1, Outcome.FAILED, FAILURE)]


class TestFailing:
    def test_the_run_waits_out_its_jobs_backoff(self) -> None:
        run = a_run(RunState.RUNNING)

        run.fail(FAILURE, LATER)

        assert (run.state, run.error) == (RunState.RETRYING, FAILURE)
        assert run.wake_at == run.next_attempt_at == LATER + 10 * SECOND
        assert types(run) == ["run.failed", "run.retrying"]

    def test_the_backoff_grows_with_each_failure(self) -> None:
        doubling = Backoff(kind=BackoffKind.EXPONENTIAL, initial=SECOND, jitter=0)
        run = a_run(RunState.RETRYING, job=a_job(backoff=doubling))
        run.wake(LATER)
        run.start(MILL, 17, LATER)

        run.fail(FAILURE, LATER)

        assert run.wake_at == LATER + 2 * SECOND

    def test_a_worker_may_ask_for_another_wait(self) -> None:
        run = a_run(RunState.RUNNING)

        run.fail(FAILURE, LATER, retry_after=HOUR)

        assert run.wake_at == LATER + HOUR

    def test_a_wait_beyond_the_calendar_is_cut_to_one_that_can_end(self) -> None:
        run = a_run(RunState.RUNNING)

        run.fail(FAILURE, LATER, retry_after=timedelta.max)

        assert run.state is RunState.RETRYING
        assert run.wake_at is not None

    def test_a_worker_may_say_that_trying_again_is_no_use(self) -> None:
        run = a_run(RunState.RUNNING)

        run.fail(FAILURE, LATER, retryable=False)

        assert (run.state, run.finished_at, run.wake_at) == (RunState.DEAD, LATER, None)
        assert types(run) == ["run.failed", "run.dead"]

    def test_after_the_last_attempt_the_run_is_dead(self) -> None:
        run = a_run(RunState.RUNNING, job=a_job(max_attempts=1))

        run.fail(FAILURE, LATER, retry_after=SECOND)

        assert run.state is RunState.DEAD


class TestLosing:
    def test_a_lost_attempt_counts_and_waits_no_backoff(self) -> None:
        run = a_run(RunState.RUNNING, job=a_job(max_attempts=2))

        run.lose(LATER, "its worker was silent")

        assert (run.state, run.attempt, run.queued_at) == (RunState.QUEUED, 2, LATER)
        assert run.attempts[0].error == RunError("WorkerLost", "its worker was silent")
        assert types(run) == ["run.failed", "run.queued"]

    def test_a_run_that_loses_its_last_attempt_is_dead(self) -> None:
        run = a_run(RunState.RUNNING, job=a_job(max_attempts=1))

        run.lose(LATER, "its worker was silent")

        assert run.state is RunState.DEAD
        assert types(run) == ["run.failed", "run.dead"]


class TestReleasing:
    def test_a_released_attempt_does_not_count(self) -> None:
        run = a_run(RunState.RUNNING, job=a_job(max_attempts=1))

        run.release(LATER, "draining")

        assert (run.state, run.attempt) == (RunState.QUEUED, 2)
        assert [(ended.number, ended.outcome) for ended in run.attempts] == [(1, Outcome.RELEASED)]
        assert types(run) == ["run.queued"]

    def test_an_attempt_taken_by_a_worker_that_was_given_up_is_released_before_it_started(self) -> None:
        run = a_run(RunState.QUEUED)

        run.release(LATER, "given up")

        assert (run.state, run.attempt, run.reason) == (RunState.QUEUED, 2, "given up")

    @pytest.mark.parametrize("state", [state for state in RunState if state not in ("QUEUED", "RUNNING")])
    def test_there_is_nothing_to_release_of_a_run_that_no_worker_has(self, state: RunState) -> None:
        run = a_run(state)
        attempts = run.attempts

        with pytest.raises(TransitionError):
            run.release(LATER, "draining")

        assert (run.state, run.attempts, run.pull_events()) == (state, attempts, [])


class TestProgress:
    def test_the_latest_word_is_kept(self) -> None:
        run = a_run(RunState.RUNNING)

        run.note_progress(Progress(0.5, "half"), LATER)

        assert run.progress == Progress(0.5, "half")
        assert types(run) == ["run.progressed"]

    def test_the_next_attempt_begins_without(self) -> None:
        run = a_run(RunState.RUNNING)
        run.note_progress(Progress(0.5), LATER)

        run.lose(LATER, "silent")

        assert run.progress is None


STEPS: dict[str, Callable[[Run], object]] = {
    "start": lambda run: run.start(MILL, 1, LATER),
    "succeed": lambda run: run.succeed(None, LATER),
    "fail": lambda run: run.fail(FAILURE, LATER),
    "lose": lambda run: run.lose(LATER, "silent"),
    "time_out": lambda run: run.time_out(LATER),
    "note_progress": lambda run: run.note_progress(Progress(0.5), LATER),
}


@pytest.mark.parametrize("state", [state for state in RunState if state.is_final])
@pytest.mark.parametrize("step", [*STEPS, "wake", "release"])
def test_a_final_state_is_never_left(state: RunState, step: str) -> None:
    run = a_run(state)
    steps = STEPS | {"wake": lambda run: run.wake(LATER), "release": lambda run: run.release(LATER, "")}

    with pytest.raises(TransitionError):
        steps[step](run)

    assert (run.state, run.pull_events()) == (state, [])


@pytest.mark.parametrize("step", [step for step in STEPS if step != "start"])
@pytest.mark.parametrize("state", ["PENDING", "QUEUED", "RETRYING"])
def test_what_does_not_run_cannot_end_or_get_on(state: str, step: str) -> None:
    run = a_run(RunState(state))

    with pytest.raises(TransitionError):
        STEPS[step](run)

    assert (run.state, run.pull_events()) == (state, [])


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "RETRYING"])
def test_only_what_is_queued_can_start(state: str) -> None:
    run = a_run(RunState(state))

    with pytest.raises(TransitionError):
        run.start(MILL, 1, LATER)

    assert run.state == state


def test_an_event_tells_the_run_as_it_stood_right_after() -> None:
    run = a_run(RunState.RUNNING, worker_id=MILL)

    run.fail(FAILURE, LATER)
    failed, retrying = run.pull_events()

    assert (failed.state, failed.attempt, failed.worker_id, failed.error) == (RunState.RUNNING, 1, MILL, FAILURE)  # type: ignore[attr-defined]  # a RunEvent
    assert retrying.state is RunState.RETRYING  # type: ignore[attr-defined]  # a RunEvent
    assert failed.correlation_id == str(run.id)


def test_jitter_has_no_chance_in_it() -> None:
    spread = Backoff(kind=BackoffKind.FIXED, initial=timedelta(seconds=100), jitter=0.5)
    job = a_job(backoff=spread)
    first, again = (a_run(RunState.RETRYING, job=job, run_id=run_id) for run_id in [a_run().id] * 2)

    assert first.wake_at == again.wake_at
    assert first.wake_at is not None
    assert NOON + timedelta(seconds=50) <= first.wake_at <= NOON + timedelta(seconds=150)
