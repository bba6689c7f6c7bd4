"""Bugs of what runs may have beside: limits, gates, fixed delays, deliveries, what is heard."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from tests.e2e.checker.history import Message
from tests.e2e.life_story import a_delivery, a_delivery_tried_again, a_hearing, a_second_attempt
from tests.e2e.story import SECOND
from tests.e2e.story_rows import TENANT
from tests.e2e.told import Told, again, breaches


@breaches("R2")
def an_attempt_of_a_limited_job_before_its_backoff_was_over(told: Told) -> None:
    a_second_attempt(told.story, told.life.few, 8, after=SECOND / 2)
    again(told)


@breaches("R1")
def a_run_of_a_job_that_waits_without_having_failed(told: Told) -> None:
    told.story.run(cause="API", due=told.story.at(3)).created().queued().started().postponed().cancelled()
    again(told)


@breaches("R6")
def an_attempt_after_it_was_asked_to_stop(told: Told) -> None:
    run = told.story.run(cause="API", due=told.story.at(3)).created().queued().started().asked_to_stop()
    run.lost().queued().started().succeeded()
    again(told)


@breaches("R6")
def an_accepted_cancellation_that_was_forgotten(told: Told) -> None:
    told.story.cancellations.append((TENANT, told.posted.id))


@breaches("R5")
def a_run_that_waits_at_a_gate_for_ever(told: Told) -> None:
    run = told.story.run(cause="API", due=told.story.at(3)).created()
    run.row |= {"parked_on": "key:x", "rank": told.story.at(3), "wake_at": told.story.at(10_000)}
    again(told)


@breaches("S7")
def two_executions_at_once_where_that_is_forbidden(told: Told) -> None:
    """By the log the one came after the other; the worker of the first knows better."""
    told.story.journals["w1"] = [
        line | {"at": line["at"] + 4 * SECOND} if (line["runId"], line["event"]) == (str(told.long.id), "end") else line
        for line in told.story.journals["w1"]
    ]


@breaches("LIMIT")
def more_at_once_than_the_job_allows(told: Told) -> None:
    first, second = (told.story.run(cause="API", due=told.story.at(8), job=told.life.few).created() for _ in range(2))
    first.queued().started()
    second.queued().started().succeeded()
    first.now += SECOND
    first.succeeded()
    again(told)


@breaches("LIMIT")
def two_of_one_customer_at_once(told: Told) -> None:
    own = {"customer": "a"}
    first, second = (
        told.story.run(cause="API", due=told.story.at(8), job=told.life.keyed, payload=own).created() for _ in range(2)
    )
    first.queued().started()
    second.queued().started().succeeded()
    first.now += SECOND
    first.succeeded()
    again(told)


@breaches("LIMIT")
def more_starts_than_the_rate_allows(told: Told) -> None:
    for _ in range(5):
        told.story.run(cause="API", due=told.story.at(8), job=told.life.rated).created().queued().started().succeeded()
    again(told)


@breaches("S1")
def a_delay_that_does_not_count_from_the_end(told: Told) -> None:
    rows = [row for row in told.story.tables["runs"] if row["schedule_id"] == told.life.delayed.id]
    rows[-1]["due_at"] -= SECOND / 2


@breaches("S1")
def a_fixed_delay_that_went_no_further(told: Told) -> None:
    disabled = told.story.tables["events"][-1]
    for event in told.story.tables["events"]:
        if (event["subject"], event["type"]) == (told.life.delayed.id, "schedule.disabled"):
            disabled = event
    disabled["at"] = told.story.at(30)
    told.story.tables["schedule_revisions"] = [
        row | {"at": told.story.at(30)} if (row["schedule_id"], row["revision"]) == (told.life.delayed.id, 2) else row
        for row in told.story.tables["schedule_revisions"]
    ]
    again(told)


@breaches("DELIVERED", "HEARD")
def an_event_that_was_delivered_twice_and_heard_no_more(told: Told) -> None:
    told.story.topics *= 2
    told.life.heard.forget()
    again(told)


@breaches("DELIVERED")
def an_event_that_was_never_stored_on_the_bus(told: Told) -> None:
    a_delivery(told.story, "EVENT", 5)
    again(told)


@breaches("DELIVERED")
def a_message_of_a_run_that_never_was(told: Told) -> None:
    told.story.topics.append(Message(2, "topic.acme.unheard", str(uuid4()), told.story.at(5)))


@breaches("DELIVERED")
def a_success_that_no_receiver_saw(told: Told) -> None:
    told.story.requests.clear()


@breaches("DELIVERED")
def a_request_of_a_run_that_never_was(told: Told) -> None:
    told.story.requests.append(replace(told.story.requests[0], id=str(uuid4())))


@breaches("W1")
def a_request_with_a_wrong_signature(told: Told) -> None:
    told.story.requests.append(replace(told.story.requests[0], is_signed=False))


@breaches("R2")
def a_delivery_before_its_receiver_wanted_it(told: Told) -> None:
    a_delivery_tried_again(told.story, 6, after=SECOND / 2)
    again(told)


@breaches("HEARD")
def a_message_that_started_two_runs(told: Told) -> None:
    a_hearing(told.story, told.life.listening, str(told.life.sent.id), 6)
    again(told)
