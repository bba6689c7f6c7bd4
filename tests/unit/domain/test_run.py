"""What a run may do, and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.builders import ACME, FAILURE, HOUR, MINUTE, NOON, SECOND, a_job, a_run, next_id

from rota.domain.attempt import Outcome, Progress, RunError
from rota.domain.errors import TransitionError
from rota.domain.fingerprint import fingerprint_of
from rota.domain.ids import RunId, WorkerId
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.run import Run, new_run
from rota.domain.run_events import Cause, RunState
from rota.domain.run_life import CANCEL_GRACE, TIMEOUT_SLACK

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

    def test_a_run_that_is_due_waits_for_its_turn_from_when_it_was_due(self) -> None:
        run = new_run(ACME, a_run().id, a_job().terms(), Cause.API, now=NOON, due_at=NOON - HOUR).accept()

        assert (run.rank, run.wake_at, run.is_due(NOON)) == (NOON - HOUR, None, False)

    def test_each_step_of_priority_is_worth_a_minute_of_waiting(self) -> None:
        urgent = new_run(ACME, a_run().id, a_job().terms(), Cause.API, now=NOON, priority=5).accept()

        assert urgent.rank == NOON - 5 * MINUTE

    def test_a_run_behind_a_gate_keeps_its_place_there(self) -> None:
        run = a_new_run().accept_parked("schedule:1")

        assert (run.state, run.parked_on, run.rank) == (RunState.PENDING, "schedule:1", NOON)
        assert types(run) == ["run.created"]

    def test_a_skipped_run_is_a_record_with_its_reason(self) -> None:
        run = a_new_run().accept_skipped("OVERLAP")

        assert (run.state, run.reason, run.finished_at, run.attempt) == (RunState.SKIPPED, "OVERLAP", NOON, 0)
        assert types(run) == ["run.skipped"]

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

        run.go(LATER)

        assert run.fired_at == LATER


class TestTurns:
    def test_a_run_whose_time_has_come_lines_up_without_news(self) -> None:
        run = new_run(ACME, a_run().id, a_job().terms(), Cause.API, now=NOON, due_at=LATER).accept()
        run.pull_events()

        assert not run.is_due(LATER - SECOND)
        assert run.is_due(LATER)
        run.line_up(LATER + HOUR)

        assert (run.state, run.rank, run.wake_at) == (RunState.PENDING, LATER, None)
        assert run.is_changed
        assert run.pull_events() == []

    def test_a_retry_lines_up_from_the_end_of_its_backoff(self) -> None:
        run = a_run(RunState.RETRYING)
        run.line_up(LATER)

        assert (run.rank, run.next_attempt_at) == (LATER, None)

    def test_a_pending_run_is_queued(self) -> None:
        run = a_run(RunState.PENDING)

        run.go(LATER)

        assert (run.state, run.attempt, run.wake_at, run.rank) == (RunState.QUEUED, 1, None, None)
        assert types(run) == ["run.queued"]

    def test_a_retrying_run_is_queued_as_the_next_attempt(self) -> None:
        run = a_run(RunState.RETRYING)

        run.go(LATER)

        assert (run.state, run.attempt) == (RunState.QUEUED, 2)
        assert run.fired_at == NOON

    @pytest.mark.parametrize("state", [state for state in RunState if state not in ("PENDING", "RETRYING")])
    def test_what_does_not_wait_gets_no_turn(self, state: RunState) -> None:
        run = a_run(state)

        for step in (run.go, run.line_up):
            with pytest.raises(TransitionError):
                step(LATER)

        assert (run.state, run.is_changed) == (state, False)

    def test_a_run_may_be_sent_to_a_gate_when_its_turn_comes(self) -> None:
        run = a_run(RunState.PENDING)

        run.park("key:1")

        assert (run.parked_on, run.is_changed, run.pull_events()) == ("key:1", True, [])


def with_terms(**terms: object) -> Job:
    job = a_job()
    job.definition = replace(job.definition, **terms)  # type: ignore[arg-type]  # the fields of Terms
    return job


class TestLimits:
    def test_a_run_that_did_not_start_in_time_is_dead(self) -> None:
        run = a_run(RunState.QUEUED, job=with_terms(start_by=MINUTE))

        assert run.wake_at == NOON + MINUTE
        assert not run.expire(NOON + MINUTE - SECOND)
        assert run.expire(NOON + MINUTE)

        assert (run.state, run.error and run.error.type) == (RunState.DEAD, "StartByExceeded")
        assert types(run) == ["run.dead"]

    def test_start_by_asks_nothing_once_an_attempt_has_started(self) -> None:
        run = a_run(RunState.RETRYING, job=with_terms(start_by=MINUTE))
        run.line_up(NOON + 10 * SECOND)

        assert (run.start_by_at, run.wake_at, run.expire(NOON + HOUR)) == (None, None, False)

    @pytest.mark.parametrize("state", ["PENDING", "QUEUED", "RETRYING"])
    def test_past_its_deadline_a_run_that_waits_is_dead(self, state: str) -> None:
        run = a_run(RunState(state), job=with_terms(deadline=MINUTE))

        assert run.expire(NOON + MINUTE)

        assert (run.state, run.error and run.error.type) == (RunState.DEAD, "DeadlineExceeded")

    def test_past_its_deadline_a_running_attempt_ends_and_there_is_no_other(self) -> None:
        run = a_run(RunState.RUNNING, job=with_terms(deadline=MINUTE))

        assert run.wake_at == NOON + MINUTE
        assert run.expire(NOON + MINUTE)

        assert run.state is RunState.DEAD
        assert [(ended.outcome, ended.error and ended.error.type) for ended in run.attempts] == [
            (Outcome.TIMED_OUT, "DeadlineExceeded")
        ]
        assert types(run) == ["run.failed", "run.dead"]

    def test_an_attempt_that_could_only_begin_after_the_deadline_is_not_waited_for(self) -> None:
        run = a_run(RunState.RUNNING, job=with_terms(deadline=5 * SECOND))

        run.fail(FAILURE, NOON + SECOND)

        assert (run.state, run.error and run.error.type) == (RunState.DEAD, "DeadlineExceeded")

    def test_an_attempt_that_outlasts_its_timeout_is_tried_again(self) -> None:
        run = a_run(RunState.RUNNING)

        assert not run.expire(NOON + 5 * MINUTE)
        assert run.expire(NOON + 5 * MINUTE + TIMEOUT_SLACK)

        assert run.attempts[0].outcome is Outcome.TIMED_OUT
        assert run.error == RunError("Timeout", "no result within 300 s")
        assert types(run) == ["run.failed", "run.retrying"]

    def test_a_silent_handler_is_tried_again(self) -> None:
        run = a_run(RunState.RUNNING, job=with_terms(heartbeat_timeout=MINUTE))
        run.note_progress(Progress(0.5), NOON + 30 * SECOND)

        assert run.wake_at == NOON + 90 * SECOND
        assert not run.expire(NOON + 89 * SECOND)
        assert run.expire(NOON + 90 * SECOND)

        assert (run.state, run.error and run.error.type) == (RunState.RETRYING, "HeartbeatTimeout")

    def test_a_handler_is_not_taken_for_silent_because_its_timeout_was_prolonged(self) -> None:
        run = a_run(RunState.RUNNING, job=with_terms(heartbeat_timeout=2 * HOUR))
        run.job = replace(run.job, timeout=HOUR)  # type: ignore[type-var]  # it has a job

        assert not run.expire(NOON + 5 * MINUTE + TIMEOUT_SLACK)

    def test_a_run_woken_for_nothing_is_looked_at_again_when_its_limits_say(self) -> None:
        run = a_run(RunState.RUNNING)
        run.job = replace(run.job, timeout=HOUR)  # type: ignore[type-var]  # it has a job

        assert not run.expire(NOON + 5 * MINUTE + TIMEOUT_SLACK)
        run.look_again()

        assert run.wake_at == NOON + HOUR + TIMEOUT_SLACK


class TestCancelling:
    @pytest.mark.parametrize("state", ["PENDING", "QUEUED", "RETRYING"])
    def test_a_run_that_nobody_carries_out_is_cancelled_at_once(self, state: str) -> None:
        run = a_run(RunState(state))

        run.cancel("no longer wanted", LATER)

        assert (run.state, run.reason, run.finished_at) == (RunState.CANCELLED, "no longer wanted", LATER)
        assert (run.cancel_requested_at, run.wake_at, run.rank) == (LATER, None, None)
        assert types(run) == ["run.cancelled"]

    def test_a_running_run_is_asked_and_then_stops(self) -> None:
        run = a_run(RunState.RUNNING)

        run.cancel("", LATER)
        run.acknowledge_cancel(LATER + SECOND)
        run.stop(LATER + 2 * SECOND)

        assert run.state is RunState.CANCELLED
        assert (run.cancel_requested_at, run.cancel_acknowledged_at, run.finished_at) == (
            LATER,
            LATER + SECOND,
            LATER + 2 * SECOND,
        )
        assert [ended.outcome for ended in run.attempts] == [Outcome.CANCELLED]
        assert types(run) == ["run.cancelrequested", "run.cancelled"]

    def test_asking_twice_changes_nothing(self) -> None:
        run = a_run(RunState.RUNNING)
        run.cancel("first", LATER)
        run.pull_events()

        run.cancel("second", LATER + SECOND)

        assert (run.reason, run.cancel_requested_at, run.is_changed) == ("first", LATER, False)

    def test_a_success_that_comes_first_wins(self) -> None:
        run = a_run(RunState.RUNNING)
        run.cancel("", LATER)

        run.succeed(None, LATER + SECOND)

        assert run.state is RunState.SUCCEEDED

    @pytest.mark.parametrize(
        "end",
        [
            lambda run: run.fail(FAILURE, LATER + SECOND),
            lambda run: run.fail(FAILURE, LATER + SECOND, retryable=False),
            lambda run: run.lose(LATER + SECOND, "silent"),
            lambda run: run.release(LATER + SECOND, "draining"),
        ],
        ids=["failed", "aborted", "lost", "released"],
    )
    def test_however_the_attempt_ends_there_is_no_other(self, end: Callable[[Run], None]) -> None:
        run = a_run(RunState.RUNNING)
        run.cancel("", LATER)

        end(run)

        assert (run.state, run.finished_at) == (RunState.CANCELLED, LATER + SECOND)

    def test_a_handler_that_does_not_stop_is_given_up_after_a_grace(self) -> None:
        run = a_run(RunState.RUNNING)
        run.cancel("", LATER)

        assert run.wake_at == LATER + CANCEL_GRACE
        assert not run.expire(LATER + CANCEL_GRACE - SECOND)
        assert run.expire(LATER + CANCEL_GRACE)

        assert run.state is RunState.CANCELLED

    def test_a_handler_that_stops_unasked_has_failed(self) -> None:
        run = a_run(RunState.RUNNING)

        run.stop(LATER)

        assert (run.state, run.error and run.error.type) == (RunState.RETRYING, "Cancelled")


class TestTryingAgain:
    def test_a_dead_run_is_carried_out_once_more_as_a_new_one(self) -> None:
        old = a_run(RunState.DEAD, scheduled_for=NOON - HOUR, payload=Json("[1]"), labels={"team": "bi"})

        new = old.again(RunId(next_id()), now=LATER).accept()

        assert (new.cause, new.retry_of, new.state) == (Cause.RETRY, old.id, RunState.PENDING)
        assert (new.scheduled_for, new.due_at) == (NOON - HOUR, LATER)
        assert (new.payload, new.labels, new.correlation_id) == ("[1]", {"team": "bi"}, old.correlation_id)

    def test_with_another_payload_if_one_is_given(self) -> None:
        assert (
            a_run(RunState.DEAD, payload=Json("[1]")).again(RunId(next_id()), now=LATER, payload=Json("[2]")).payload
            == "[2]"
        )

    def test_not_before_it_has_ended(self) -> None:
        with pytest.raises(TransitionError):
            a_run(RunState.RUNNING).again(RunId(next_id()), now=LATER)

    @pytest.mark.parametrize("error_type", ["ValueError", "Timeout", "WorkerLost"])
    def test_errors_that_the_job_names_are_not_retried(self, error_type: str) -> None:
        job = with_terms(retry=RetryPolicy(not_on=(error_type,)))
        run = a_run(RunState.RUNNING, job=job)

        match error_type:
            case "Timeout":
                run.expire(NOON + HOUR)
            case "WorkerLost":
                run.lose(LATER, "silent")
            case _:
                run.fail(FAILURE, LATER)

        assert (run.state, run.error and run.error.type) == (RunState.DEAD, error_type)


class TestFingerprints:
    def test_failures_that_differ_in_numbers_alone_are_alike(self) -> None:
        one = RunError("KeyError", "no order 4711 at 0x7f3a, id 0198c7d2-0000-7000-8000-000000000001")
        other = RunError("KeyError", "no order 12 at 0xbeef, id 0198c7d3-1111-7222-8333-000000000002")

        assert fingerprint_of("orders", one) == fingerprint_of("orders", other)

    def test_another_error_or_other_work_is_another(self) -> None:
        error = RunError("KeyError", "no order")

        alike = {fingerprint_of("orders", error), fingerprint_of("bills", error), fingerprint_of("orders", FAILURE)}

        assert len(alike) == 3

    def test_a_dead_run_carries_its_own(self) -> None:
        assert a_run(RunState.DEAD).fingerprint == fingerprint_of("reports.daily", FAILURE)


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
        run.go(LATER)
        run.start(MILL, 17, LATER)

        run.succeed(Json("[3]"), LATER + SECOND)

        assert (run.state, run.result, run.error) == (RunState.SUCCEEDED, "[3]", None)
        assert (run.finished_at, run.wake_at) == (LATER + SECOND, None)
        assert types(run)[-1] == "run.succeeded"

    def test_the_attempt_that_failed_before_is_still_told(self) -> None:
        run = a_run(RunState.RETRYING)
        run.go(LATER)
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
        run.go(LATER)
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
    "stop": lambda run: run.stop(LATER),
    "note_progress": lambda run: run.note_progress(Progress(0.5), LATER),
}


@pytest.mark.parametrize("state", [state for state in RunState if state.is_final])
@pytest.mark.parametrize("step", [*STEPS, "go", "release", "cancel", "expire"])
def test_a_final_state_is_never_left(state: RunState, step: str) -> None:
    run = a_run(state)
    steps = STEPS | {
        "go": lambda run: run.go(LATER),
        "release": lambda run: run.release(LATER, ""),
        "cancel": lambda run: run.cancel("", LATER),
        "expire": lambda run: run.expire(LATER),
    }

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
