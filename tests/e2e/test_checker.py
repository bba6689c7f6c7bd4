"""The checker is green on a history that is right, and red, with the right name, on one with a single bug in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy
from nats.js.errors import NotFoundError
from tests.e2e.checker.figures import figures
from tests.e2e.checker.history import Fault, Message, Reader, Stream
from tests.e2e.checker.journals import read_journals
from tests.e2e.checker.judge import judge, lives_of
from tests.e2e.checker.streams import EVENTS, REPORTS, WORK, read_streams
from tests.e2e.story import MOMENT, SECOND, TENANT, Row, Run, Schedule, Story

from rota.infrastructure.postgres.schema import migrate

EVERY_SECOND = {"type": "CRON", "cron": "* * * * * *"}
EVERY_FIVE = {"type": "CRON", "cron": "*/5 * * * * *"}


@dataclass
class Told:
    """A right story, and the parts of it that tests spoil."""

    story: Story
    steady: Schedule
    changed: Schedule
    outage: Schedule
    limited: Schedule
    once: Schedule
    caught_up: Schedule
    alone: Schedule
    retried: Run
    posted: Run
    moved: Run
    cancelled: Run
    long: Run

    @property
    def run(self) -> Run:
        """One of the steady ones."""
        return self.run_at(0)

    def run_at(self, second: int) -> Run:
        """The steady one of that second of the story."""
        return self.story.run_of(self.steady, self.story.at(second))

    def message_of(self, event: Row) -> Message:
        return next(message for message in self._events.messages if message.id == str(event["id"]))

    def replace(self, *messages: Message) -> None:
        """Puts each in the place of the one that has its id."""
        new = {message.id: message for message in messages}
        kept = [new.get(message.id, message) for message in self._events.messages]
        self.story.streams[EVENTS] = replace(self._events, messages=kept)

    @property
    def _events(self) -> Stream:
        stream = self.story.streams[EVENTS]
        assert stream is not None
        return stream


def a_right_story(directory: Path) -> Told:
    story = Story(directory)
    story.job()
    story.term(1, "a", story.start)
    story.term(2, "b", story.at(12))
    story.faults.append(Fault("kill", "leader", story.at(10), story.at(10)))

    steady = story.schedule(EVERY_SECOND)
    steady.fire_each(0, 9, epoch=1)
    for second in (10, 11, 12):
        steady.fire(story.at(second), late=story.at(12.1) - story.at(second), epoch=2).started("w2").succeeded()
    steady.fire_each(13, 20, epoch=2)
    steady.disable(story.at(20.5))

    changed = story.schedule({"type": "FIXED_RATE", "everySec": 2, "anchorAt": None}, created=0.25)
    for n in range(3):
        changed.fire(story.at(0.25 + 2 * n)).started().succeeded()
    changed.change(story.at(5), trigger=EVERY_FIVE)
    changed.fire_each(5, 5)
    changed.disable(story.at(7))
    changed.enable(story.at(13))
    changed.fire_each(15, 20, every=5, epoch=2)
    changed.disable(story.at(21))

    outage = story.schedule(EVERY_SECOND, created=0.5)
    outage.fire_each(1, 4)
    outage.miss(story.at(5), story.at(9), 5, at=story.at(13))
    for second in (10, 11, 12, 13):
        outage.fire(story.at(second), late=story.at(13.01) - story.at(second), epoch=2).started().succeeded()
    outage.disable(story.at(13.5))
    misfire = {"policy": "FIRE_ALL", "graceSec": 3, "catchupWindowSec": 8}
    caught_up = story.schedule(EVERY_FIVE, created=0.5, misfire=misfire)
    caught_up.miss(story.at(5), story.at(5), 1, at=story.at(16.9))
    caught_up.fire(story.at(10), late=story.at(17) - story.at(10), epoch=None).started().succeeded()
    caught_up.fire(story.at(15), late=story.at(16.9) - story.at(15), epoch=2).started().succeeded()
    caught_up.disable(story.at(18))
    alone = story.schedule(EVERY_FIVE, created=0.5, overlap="SKIP")
    long = alone.fire(story.at(5)).started()
    alone.skip(story.at(10))
    long.now = story.at(12)
    long.succeeded()
    alone.fire(story.at(15), epoch=2).started().succeeded()
    alone.disable(story.at(18))

    limited = story.schedule(EVERY_SECOND, created=0.5, maxRuns=2)
    limited.fire_each(1, 2)
    once = story.schedule({"type": "ONE_SHOT", "startAt": story.at(-50).isoformat()}, created=8)
    once.fire(story.at(-50), late=story.at(8.1) - story.at(-50)).started().succeeded()

    retried = story.run(cause="API", due=story.at(1)).created().queued().started().failed().retrying()
    retried.queued().started("w2").succeeded()
    moved = story.run(cause="API", due=story.at(2)).created().queued().started().lost().queued().started("w2")
    moved.now += 6 * SECOND
    moved.succeeded()
    story.reject(moved, "SUCCEEDED", attempt=1, worker="w1", at=moved.now - 3 * SECOND)
    posted = story.run(cause="API", due=story.at(3)).created().queued().started().released().started("w2").succeeded()
    dead = story.run(cause="API", due=story.at(3)).created().queued().started()
    dead.failed().retrying().queued().started().failed().retrying().queued().started().failed().dead()
    cancelled = story.run(cause="API", due=story.at(3)).created().queued().started().cancelled()
    story.accepted.append((TENANT, posted.row["id"]))

    story.reject_unreadable("mark-1", story.at(4))
    story.number_events()
    story.publish()
    story.watch()
    return Told(
        story, steady, changed, outage, limited, once, caught_up, alone, retried, posted, moved, cancelled, long
    )


Plant: TypeAlias = Callable[[Told], None]
PLANTS: list[tuple[set[str], Plant]] = []


def breaches(*invariants: str) -> Callable[[Plant], Plant]:
    """The invariants that this plant breaches, and no others."""

    def keep(plant: Plant) -> Plant:
        PLANTS.append((set(invariants), plant))
        return plant

    return keep


def again(told: Told) -> None:
    """What was planted takes its place in log and stream."""
    told.story.number_events()
    told.story.publish()
    told.story.watch()


@breaches("S1", "S3")
def a_due_time_with_two_runs(told: Told) -> None:
    told.story.before_writing.append("DROP INDEX runs_due_time_key")
    told.steady.fire(told.story.at(4)).started().succeeded()
    again(told)


@breaches("S1")
def a_due_time_with_neither_run_nor_miss(told: Told) -> None:
    told.run.forget()
    again(told)


@breaches("S1")
def a_run_without_a_due_time(told: Told) -> None:
    told.steady.fire(told.story.at(4.5)).started().succeeded()
    again(told)


@breaches("S1")
def a_run_of_a_disabled_schedule(told: Told) -> None:
    told.changed.fire(told.story.at(10)).started().succeeded()
    again(told)


@breaches("S1")
def a_run_more_than_the_schedule_may_have(told: Told) -> None:
    told.limited.fire(told.story.at(3)).started().succeeded()
    again(told)


@breaches("S1")
def a_miss_that_counts_wrongly(told: Told) -> None:
    told.story.tables["misses"][0]["count"] = 4


@breaches("S1")
def a_miss_of_what_was_never_due(told: Told) -> None:
    told.once.miss(told.story.at(20), told.story.at(20), 1, at=told.story.at(21))
    again(told)


@breaches("S1")
def a_due_time_in_two_misses(told: Told) -> None:
    told.outage.miss(told.story.at(9), told.story.at(9), 1, at=told.story.at(14))
    again(told)


@breaches("S1")
def a_catch_up_that_was_never_made(told: Told) -> None:
    told.run.forget()
    span = {"first": told.story.at(0), "last": told.story.at(0), "count": 1}
    told.story.tables["catchups"].append(
        {"tenant_id": TENANT, "schedule_id": told.steady.id, "revision": 1, **span, "decided_at": told.story.at(4)}
    )
    again(told)


@breaches("S2")
def a_run_before_its_time(told: Told) -> None:
    told.run.row["fired_at"] = told.story.at(0) - MOMENT


@breaches("S2")
def a_run_stored_before_its_time_by_a_leader_whose_clock_is_ahead(told: Told) -> None:
    run = told.run_at(19)
    told.story.committed[run.events("queued")[0]["id"]] = told.story.at(19) - MOMENT


@breaches("S2")
def a_late_run_without_a_fault(told: Told) -> None:
    told.run.row["fired_at"] = told.story.at(2.5)


@breaches("S2")
def a_backlog_that_outlasts_the_recovery(told: Told) -> None:
    told.story.faults[0] = Fault("kill", "leader", told.story.at(3), told.story.at(3))


@breaches("S2")
def a_late_run_while_only_workers_were_in_trouble(told: Told) -> None:
    told.run.row["fired_at"] = told.story.at(2.5)
    told.story.faults.append(Fault("kill_worker", "w1", told.story.at(0), told.story.at(3), at_edge=True))


@breaches("S3")
def a_constraint_that_is_gone(told: Told) -> None:
    told.story.before_writing.append("DROP INDEX runs_due_time_key")


@breaches("S3")
def a_constraint_that_forgets_backfills(told: Told) -> None:
    told.story.before_writing += [
        "DROP INDEX runs_due_time_key",
        "CREATE UNIQUE INDEX ON runs (tenant_id, schedule_id, scheduled_for) WHERE cause = 'SCHEDULE'",
    ]


@breaches("S4")
def a_fire_under_an_epoch_that_is_over(told: Told) -> None:
    told.run_at(20).row["fired_epoch"] = 1


@breaches("S4")
def a_fire_under_an_epoch_that_nobody_held(told: Told) -> None:
    told.run_at(20).row["fired_epoch"] = 7


@breaches("S4")
def an_epoch_left_out(told: Told) -> None:
    told.story.term(4, "a", told.story.at(20))


@breaches("S5")
def a_run_made_after_its_rule_was_replaced(told: Told) -> None:
    late = told.story.run_of(told.changed, told.story.at(0.25))
    for event in told.story.tables["events"]:
        if event["subject"] == late.row["id"]:
            event["at"] += 6 * SECOND
    again(told)
    for lines in told.story.journals.values():
        for line in lines:
            line["at"] += 6 * SECOND if line["runId"] == str(late.row["id"]) else timedelta(0)


@breaches("S7")
def two_runs_at_once_where_that_is_forbidden(told: Told) -> None:
    """It started in time, and was still running when the next one did."""
    told.story.run_of(told.alone, told.story.at(15)).forget()
    told.long.events("succeeded")[0]["at"] = told.story.at(16)
    told.story.journals["w1"][-1]["at"] = told.story.at(16)
    told.alone.fire(told.story.at(15), epoch=2).started("w2").succeeded()
    again(told)


@breaches("S7")
def a_catch_up_from_beyond_the_window(told: Told) -> None:
    told.caught_up.told()["misfire"] = told.caught_up.definition["misfire"] | {"catchupWindowSec": 5}


@breaches("S7")
def a_miss_that_the_window_would_have_caught_up(told: Told) -> None:
    told.caught_up.told()["misfire"] = told.caught_up.definition["misfire"] | {"catchupWindowSec": 13}


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


@pytest.fixture(scope="module")
def schema_url(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
async def connection(schema_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Everything that is done on it is undone."""
    connection = await asyncpg.connect(schema_url, ssl=False)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def test_it_is_green_on_a_right_history(connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path) -> None:
    told = a_right_story(tmp_path)

    history = await told.story.told(connection)

    assert judge(history) == []


@pytest.mark.parametrize(
    ("invariants", "plant"), PLANTS, ids=[f"{plant.__name__}-{'-'.join(sorted(names))}" for names, plant in PLANTS]
)
async def test_it_is_red_on(
    invariants: set[str], plant: Plant, connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path
) -> None:
    told = a_right_story(tmp_path)
    plant(told)

    history = await told.story.told(connection)

    assert {finding.invariant for finding in judge(history)} == invariants, "\n".join(map(str, judge(history)))


async def test_epochs_are_not_judged_without_an_election(
    connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path
) -> None:
    told = a_right_story(tmp_path)
    a_fire_under_an_epoch_that_nobody_held(told)
    told.story.elected = False

    history = await told.story.told(connection)

    assert judge(history) == []


async def test_an_empty_database_is_no_pass(connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path) -> None:
    story = Story(tmp_path)

    history = await story.told(connection)

    assert {finding.subject for finding in judge(history)} >= {"due times", "faults"}


async def test_the_figures_tell_due_matched_missed_and_late(
    connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path
) -> None:
    told = a_right_story(tmp_path)
    history = await told.story.told(connection)

    found = figures(history, lives_of(history))

    runs = sum(row["cause"] == "SCHEDULE" for row in told.story.tables["runs"])
    assert found.matched == runs
    assert found.due_times == runs + 6
    assert found.missed == {"FIRE_ONCE": 5, "FIRE_ALL": 1}
    assert found.extra == 0
    assert found.quiet.max < 0.5
    assert found.in_faults.max > 2
    assert [recovery.gap > 1 for recovery in found.recoveries] == [True]


def test_a_journal_that_was_cut_off_in_its_last_line_is_read_up_to_there(tmp_path: Path) -> None:
    whole = b'{"runId":"0189d3a0-0000-7000-8000-000000000001","attempt":1,"workerId":"w1","event":"%s","at":"%s"}\n'
    journal = tmp_path / "w1.jsonl"
    journal.write_bytes(whole % (b"begin", b"2024-01-01T00:00:00Z") + whole[:60].replace(b"%s", b"end"))

    found = read_journals([journal])

    assert [execution.ended for execution in found] == [None]
    assert found[0].began == datetime.fromisoformat("2024-01-01T00:00:00+00:00")


async def test_the_streams_are_read_as_they_are(
    connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path, nats_url: str
) -> None:
    told = a_right_story(tmp_path)
    client = await nats.connect(nats_url)
    bus = client.jetstream()
    await _empty_streams(bus)
    for event in told.story.tables["events"]:
        await bus.publish(f"scheduler.{event['type']}.{TENANT}", b"{}", headers={"Nats-Msg-Id": str(event["id"])})
    await bus.publish("scheduler.work.acme.default.x", b"{}", headers={"Nats-Msg-Id": f"{told.posted.row['id']}:2"})
    await bus.publish("scheduler.report.acme", b"[]")

    told.story.streams = await read_streams(nats_url)
    history = await told.story.told(connection)

    stream = told.story.streams[EVENTS]
    assert stream is not None
    assert len(stream.messages) == len(told.story.tables["events"])
    assert [str(finding).split(":")[0].split()[0] for finding in judge(history)] == ["O7", "O7"]
    await _remove_streams(bus)
    assert await read_streams(nats_url) == {EVENTS: None, WORK: None, REPORTS: None}
    await client.close()


async def _empty_streams(bus: JetStreamContext) -> None:
    await _remove_streams(bus)
    await bus.add_stream(
        name=EVENTS, subjects=[f"scheduler.{each}.*.*" for each in ("run", "schedule", "job", "worker")]
    )
    await bus.add_stream(name=WORK, subjects=["scheduler.work.>"], retention=RetentionPolicy.WORK_QUEUE)
    await bus.add_stream(name=REPORTS, subjects=["scheduler.report.*"])


async def _remove_streams(bus: JetStreamContext) -> None:
    for name in (EVENTS, WORK, REPORTS):
        try:
            await bus.delete_stream(name)
        except NotFoundError:
            continue
