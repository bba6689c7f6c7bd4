"""Bugs of runs: their states, attempts, reports, executions, cancellations."""

from __future__ import annotations

from uuid import uuid4

from tests.e2e.story import SECOND
from tests.e2e.told import Told, again, breaches


@breaches("R1", "O4")
def a_second_success(told: Told) -> None:
    told.run.succeeded()
    again(told)


@breaches("R1", "R4")
def a_start_of_what_was_never_queued(told: Told) -> None:
    told.story.run(cause="API", due=told.story.at(3)).created().started().succeeded()
    again(told)


@breaches("R1")
def a_state_that_its_events_do_not_tell(told: Told) -> None:
    told.run.row["state"] = "DEAD"


@breaches("R1")
def events_of_a_run_that_is_gone(told: Told) -> None:
    told.story.tables["runs"].remove(told.retried.row)


@breaches("R2")
def an_attempt_left_out(told: Told) -> None:
    run = told.story.run(cause="API", due=told.story.at(3)).created()
    run.row["attempt"] = 1
    run.queued().started().succeeded()
    again(told)


@breaches("R2")
def more_attempts_than_the_job_allows(told: Told) -> None:
    run = told.story.run(cause="API", due=told.story.at(3)).created().queued().started()
    for _ in range(3):
        run.lost().queued().started()
    run.succeeded()
    again(told)


@breaches("R2")
def a_retry_before_its_backoff_was_over(told: Told) -> None:
    run = told.story.run(cause="API", due=told.story.at(3)).created().queued().started().failed().retrying()
    run.now -= SECOND / 2
    run.queued().started().succeeded()
    again(told)


@breaches("R2")
def a_retry_long_after_its_backoff_was_over(told: Told) -> None:
    run = told.story.run(cause="API", due=told.story.at(16)).created().queued().started().failed().retrying()
    run.now += 4 * SECOND
    run.queued().started().succeeded()
    again(told)


@breaches("R2")
def a_backoff_that_does_not_grow(told: Told) -> None:
    run = told.story.run(cause="API", due=told.story.at(3)).created().queued().started().failed().retrying().queued()
    run.started().failed().retrying()
    run.now -= SECOND
    run.queued().started().succeeded()
    again(told)


@breaches("R3")
def an_unreadable_report_that_nobody_kept(told: Told) -> None:
    told.story.malformed["mark-2"] = 1


@breaches("R3")
def an_unreadable_report_that_was_kept_again_and_again(told: Told) -> None:
    told.story.reject_unreadable("mark-1", told.story.at(5))


@breaches("R3")
def a_late_report_of_another_worker_that_counted(told: Told) -> None:
    told.moved.events("succeeded")[0]["data"]["workerId"] = told.story.worker("w1")
    told.story.journals["w1"] += [
        line for line in told.story.journals["w2"] if line["runId"] == str(told.moved.row["id"])
    ]
    told.moved.row["worker_id"] = told.story.worker("w1")
    for line in told.story.journals["w1"]:
        line["workerId"] = "w1"


@breaches("R3")
def the_owners_report_rejected(told: Told) -> None:
    report = told.story.tables["rejected_reports"][0]
    report |= {"attempt": 2, "worker_id": told.story.worker("w2")}


@breaches("R4")
def an_execution_without_an_attempt(told: Told) -> None:
    told.story.journal("w1", {"id": uuid4(), "attempt": 1}, "begin", told.story.at(5))


@breaches("R4")
def an_execution_before_its_attempt_was_stored(told: Told) -> None:
    told.story.journals["w1"][0]["at"] -= SECOND


@breaches("R4")
def a_success_that_no_worker_saw(told: Told) -> None:
    name = str(told.run.row["id"])
    told.story.journals["w1"] = [line for line in told.story.journals["w1"] if line["runId"] != name]


@breaches("R5")
def a_run_without_an_end(told: Told) -> None:
    told.story.run(cause="API", due=told.story.at(3)).created().queued().started()
    again(told)


@breaches("R5")
def a_run_whose_backoff_is_long_over(told: Told) -> None:
    told.story.run(cause="API", due=told.story.at(3)).created().queued().started().failed().retrying()
    again(told)


@breaches("R5")
def an_accepted_run_that_is_gone(told: Told) -> None:
    told.posted.forget()
    again(told)


@breaches("R1", "R6")
def a_success_after_the_cancellation(told: Told) -> None:
    told.cancelled.row["worker_id"] = told.story.worker("w1")
    told.cancelled.succeeded()
    again(told)


@breaches("R1", "R6")
def an_attempt_after_the_cancellation(told: Told) -> None:
    told.cancelled.queued().started().succeeded()
    again(told)


@breaches("R1", "R6")
def a_second_cancellation(told: Told) -> None:
    told.cancelled.cancelled()
    again(told)
