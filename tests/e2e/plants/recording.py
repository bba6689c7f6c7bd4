"""Bugs of the log and the bus: what was told, and what was passed on."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from tests.e2e.checker.history import Message, Reader, Stream
from tests.e2e.checker.streams import EVENTS, REPORTS, WORK
from tests.e2e.story import SECOND
from tests.e2e.told import Told, again, breaches


@breaches("INTAKE")
def a_report_that_waited_outside_faults(told: Told) -> None:
    told.story.heard_at[told.posted.id, 2] = told.story.at(3) - 5 * SECOND


@breaches("E1", "E3", "O2")
def a_gap_in_the_log(told: Told) -> None:
    events = told.story.tables["events"]
    events.remove(next(event for event in events if event["type"] == "run.missed"))


@breaches("E1")
def positions_that_are_not_in_commit_order(told: Told) -> None:
    event = told.posted.events("queued")[0]
    told.story.committed[event["id"]] = event["at"] - 2 * SECOND


@breaches("E3")
def an_event_that_a_reader_passed_by(told: Told) -> None:
    del told.story.seen[30]


@breaches("E3")
def an_event_that_a_reader_saw_twice(told: Told) -> None:
    told.story.seen.insert(31, told.story.seen[30])


@breaches("E4")
def a_revision_that_was_not_kept(told: Told) -> None:
    told.story.tables["schedule_revisions"].pop()


@breaches("O1")
def an_event_that_was_never_published(told: Told) -> None:
    stream = told.story.streams[EVENTS]
    assert stream is not None
    told.story.streams[EVENTS] = Stream(stream.created, 1, stream.messages[:-1], ())


@breaches("O3")
def events_of_a_run_in_the_wrong_order(told: Told) -> None:
    started, succeeded = (told.message_of(told.run.events(verb)[0]) for verb in ("started", "succeeded"))
    told.replace(replace(started, seq=succeeded.seq), replace(succeeded, seq=started.seq))


@breaches("O5")
def an_event_that_the_cursor_had_passed_before_the_bus_had_it(told: Told) -> None:
    message = told.message_of(told.run.events("queued")[0])
    assert message.at is not None
    told.replace(replace(message, at=message.at + SECOND / 2))


@breaches("O6")
def an_event_that_was_old_when_the_bus_had_it(told: Told) -> None:
    event = told.run_at(19).events("succeeded")[0]
    message = told.message_of(event)
    told.replace(replace(message, at=event["at"] + 8 * SECOND))
    told.story.cursor = [sample for sample in told.story.cursor if sample.position < event["position"]]


@breaches("O2")
def an_event_that_was_never_stored(told: Told) -> None:
    stream = told.story.streams[EVENTS]
    assert stream is not None
    phantom = Message(9_999, "scheduler.run.queued.acme", str(uuid4()))
    told.story.streams[EVENTS] = Stream(stream.created, 1, [*stream.messages, phantom], ())


@breaches("O2")
def work_that_was_never_stored(told: Told) -> None:
    work = Message(1, "scheduler.work.acme.default.x", f"{uuid4()}:1")
    told.story.streams[WORK] = Stream(told.story.start, 1, [work], ())


@breaches("O7")
def a_stream_that_never_came_back(told: Told) -> None:
    told.story.streams[WORK] = None


@breaches("O7", "R5")
def queued_work_that_was_not_sent_again(told: Told) -> None:
    told.story.run(cause="API", due=told.story.at(3)).created().queued()
    again(told)


@breaches("O7")
def work_of_an_ended_run_that_stays(told: Told) -> None:
    work = Message(1, "scheduler.work.acme.default.x", f"{told.posted.row['id']}:2")
    told.story.streams[WORK] = Stream(told.story.start, 1, [work], ())


@breaches("O7")
def reports_that_nobody_takes(told: Told) -> None:
    told.story.streams[REPORTS] = Stream(told.story.start, 1, [], [Reader("intake", 3, 0)])


@breaches("EMPTY", "S2")
def a_run_without_faults(told: Told) -> None:
    told.story.faults.clear()
