"""The part of the right story that is about limits, cancellation, fixed delays, deliveries and what is heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tests.e2e.checker.history import Message, Request
from tests.e2e.story import MOMENT, Run, Schedule, Story
from tests.e2e.story_rows import TENANT, Row

TOPIC = f"topic.{TENANT}.ticks"


@dataclass(frozen=True)
class LifeTold:
    """What tests spoil. `few` is limited to one at once, `keyed` by customer, `rated` to two in a second."""

    few: Row
    keyed: Row
    rated: Row
    stopped: Run
    delayed: Schedule
    listening: Schedule
    sent: Run
    heard: Run
    posted: Run


def tell_of_a_life(story: Story) -> LifeTold:
    few = story.job("few", maxConcurrent=1)
    keyed = story.job("keyed", concurrencyKey="/customer")
    rated = story.job("rated", rateLimit={"count": 2, "perSec": 1})
    for second in (3, 4):
        for job, customer in ((few, "a"), (keyed, "a"), (keyed, "b"), (rated, "a"), (rated, "b")):
            at = story.at(second) + timedelta(milliseconds=100) * ("ab".index(customer) + len(job["name"]))
            story.run(
                cause="API", due=at, job=job, payload={"customer": customer}
            ).created().queued().started().succeeded()
    stopped = story.run(cause="API", due=story.at(3)).created().queued().started().asked_to_stop()
    stopped.failed().cancelled()
    story.run(cause="API", due=story.at(4)).created().queued().started().lost().queued().cancelled()
    a_second_attempt(story, few, 17, after=timedelta(seconds=6))
    sent = a_delivery(story, "EVENT", 4)
    story.topics.append(Message(1, TOPIC, str(sent.id), sent.now))
    posted = a_delivery(story, "HTTP", 4)
    story.requests.append(Request(str(posted.id), "good", is_signed=True))
    a_delivery_tried_again(story, 4, after=timedelta(seconds=1.1))
    story.run(cause="API", due=story.at(4), receiver="QUEUE").created().queued().carried().postponed().cancelled()
    listening, heard = _listening(story, sent)
    return LifeTold(few, keyed, rated, stopped, _delayed(story), listening, sent, heard, posted)


def a_delivery(story: Story, receiver: str, second: float) -> Run:
    run = story.run(cause="API", due=story.at(second), receiver=receiver)
    return run.created().queued().carried().delivered()


def a_delivery_tried_again(story: Story, second: float, *, after: timedelta) -> Run:
    """Its receiver said 429 at first."""
    run = (
        story.run(cause="API", due=story.at(second), receiver="HTTP").created().queued().carried().refused("HttpStatus")
    )
    run.retrying()
    run.now = story.at(second) + after
    run.queued().carried().delivered()
    story.requests += [Request(str(run.id), "busy", is_signed=True)] * 2
    return run


def a_second_attempt(story: Story, job: Row, second: float, *, after: timedelta) -> Run:
    """Its backoff is a second; beyond that it waits for its turn."""
    run = story.run(cause="API", due=story.at(second), job=job).created().queued().started().failed()
    failed_at = run.now
    run.retrying()
    run.now = failed_at + after
    return run.queued().started().succeeded()


def a_hearing(story: Story, schedule: Schedule, message: str, second: float) -> Run:
    """A message of that id started a run."""
    run = story.run(cause="EVENT", due=story.at(second), schedule=schedule, payload={"id": message})
    return run.created().queued().started().succeeded()


def _delayed(story: Story) -> Schedule:
    """A second after each end, from its creation on."""
    delayed = story.schedule({"type": "FIXED_DELAY", "delaySec": 1}, created=13)
    due = story.at(13)
    for _ in range(4):
        run = delayed.fire(due, epoch=2).started().succeeded()
        due = run.row["finished_at"] + timedelta(seconds=1)
    delayed.disable(due - MOMENT)
    return delayed


def _listening(story: Story, sent: Run) -> tuple[Schedule, Run]:
    listening = story.schedule({"type": "EVENT", "subject": TOPIC}, created=1)
    heard = a_hearing(story, listening, str(sent.id), 4.2)
    listening.disable(story.at(18))
    return listening, heard
