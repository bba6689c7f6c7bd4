"""A small history that is right, written as Rota would have written it; tests spoil one thing and ask the checker.

It lasts thirty seconds and ended a while ago: schedules of each kind, changed and disabled ones, an outage with misses
and a catch-up, attempts that fail, are lost or are handed back, and a report that came too late.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.e2e.checker.history import (
    CursorSample,
    Fault,
    Key,
    Message,
    Reader,
    Request,
    Seen,
    Stream,
)
from tests.e2e.checker.streams import EVENTS, REPORTS, TOPICS, WORK
from tests.e2e.story_rows import TENANT, Row, job_row, run_row, schedule_row, worker_row
from uuid_utils.compat import uuid7

RETRY = {
    "maxAttempts": 3,
    "notOn": [],
    "backoff": {"kind": "EXPONENTIAL", "initialSec": 1, "factor": 2, "maxSec": 60, "jitter": 0.1},
}
CARRIER = uuid7()
MOMENT = timedelta(milliseconds=10)
SECOND = timedelta(seconds=1)

# Tables in the order of their foreign keys.
TABLES = ("jobs", "schedules", "schedule_revisions", "runs", "misses", "catchups", "workers", "events")
TABLES_BESIDE = ("rejected_reports", "leases", "lease_terms")


@dataclass
class Schedule:
    row: Row
    definition: Row
    story: Story

    @property
    def id(self) -> UUID:
        return UUID(str(self.row["id"]))

    def fire(self, due: datetime, *, late: timedelta = MOMENT, epoch: int | None = 1) -> Run:
        """A due time that became a run, QUEUED at once."""
        return self.story.run(cause="SCHEDULE", schedule=self, due=due, fired=due + late, epoch=epoch).queued()

    def fire_each(self, first: int, last: int, *, every: int = 1, epoch: int = 1) -> None:
        """A run that succeeded for each of these seconds of the story."""
        for second in range(first, last + 1, every):
            self.fire(self.story.at(second), epoch=epoch).started().succeeded()

    def miss(self, first: datetime, last: datetime, count: int, *, at: datetime) -> None:
        rule = self.definition["misfire"]["policy"]
        span = {"first": first, "last": last, "count": count, "rule": rule}
        self.story.tables["misses"].append(
            {"tenant_id": TENANT, "schedule_id": self.id, **span, "decided_at": at},
        )
        self.story.tell("run.missed", self.row, at, span)

    def skip(self, due: datetime) -> Run:
        """A due time that became a run which shall never be carried out."""
        return self.story.run(cause="SCHEDULE", schedule=self, due=due, fired=due + MOMENT).skipped()

    def told(self) -> Row:
        """The definition that its first event tells."""
        return next(event["data"] for event in self.story.tables["events"] if event["subject"] == self.id)

    def change(self, at: datetime, **changes: Any) -> None:  # Any: JSON
        self.definition |= changes
        self.story.revise(self, "schedule.updated", at)

    def disable(self, at: datetime) -> None:
        self.definition |= {"enabled": False}
        self.story.revise(self, "schedule.disabled", at)

    def enable(self, at: datetime) -> None:
        self.definition |= {"enabled": True}
        self.story.revise(self, "schedule.enabled", at)


@dataclass
class Run:
    row: Row
    story: Story
    now: datetime

    @property
    def id(self) -> UUID:
        return UUID(str(self.row["id"]))

    def created(self) -> Run:
        return self._step("run.created", state="PENDING", wake_at=self.row["due_at"])

    def queued(self) -> Run:
        fired = self.row["fired_at"] or self.now
        return self._step(
            "run.queued", state="QUEUED", attempt=self.row["attempt"] + 1, worker_id=None, wake_at=None, fired_at=fired
        )

    def skipped(self) -> Run:
        return self._step("run.skipped", state="SKIPPED", finished_at=self.now)

    def started(self, worker: str = "w1") -> Run:
        self._step("run.started", state="RUNNING", worker_id=self.story.worker(worker), started_at=self.now + MOMENT)
        self.story.journal(worker, self.row, "begin", self.now + MOMENT)
        return self

    def carried(self) -> Run:
        """Rota delivers it itself: a worker without a name or a journal."""
        return self._step("run.started", state="RUNNING", worker_id=CARRIER, started_at=self.now + MOMENT)

    def refused(self, error: str) -> Run:
        self._note_outcome("FAILED")
        self._step("run.failed", state="RUNNING")
        self.events("failed")[-1]["data"]["error"] = {"type": error, "message": "not now"}
        return self

    def postponed(self) -> Run:
        """Its receiver is known to be away: not even tried."""
        self._note_outcome("RELEASED")
        return self.retrying()

    def delivered(self) -> Run:
        return self._step("run.succeeded", state="SUCCEEDED", finished_at=self.now + MOMENT)

    def succeeded(self) -> Run:
        self._journal_end()
        return self._step("run.succeeded", state="SUCCEEDED", finished_at=self.now + MOMENT)

    def failed(self) -> Run:
        self._journal_end()
        return self._ended("FAILED")

    def lost(self) -> Run:
        """Its worker died: no end in the journal."""
        return self._ended("LOST")

    def released(self) -> Run:
        self._note_outcome("RELEASED")
        return self.queued()

    def retrying(self) -> Run:
        """Its backoff is over when this returns."""
        counted = sum(ended["outcome"] != "RELEASED" for ended in self.row["attempts"])
        self._step("run.retrying", state="RETRYING", wake_at=self.now + 2 ** (counted - 1) * SECOND)
        self.now = self.row["wake_at"]
        return self

    def asked_to_stop(self) -> Run:
        self.story.cancellations.append((TENANT, self.id))
        return self._step("run.cancelrequested", cancel_requested_at=self.now + MOMENT)

    def cancelled(self) -> Run:
        return self._step("run.cancelled", state="CANCELLED", finished_at=self.now + MOMENT)

    def dead(self) -> Run:
        return self._step("run.dead", state="DEAD", finished_at=self.now + MOMENT)

    def forget(self) -> None:
        """As if it had never been."""
        story = self.story
        story.tables["runs"].remove(self.row)
        story.tables["events"] = [event for event in story.tables["events"] if event["subject"] != self.row["id"]]
        for name, lines in story.journals.items():
            story.journals[name] = [line for line in lines if line["runId"] != str(self.row["id"])]

    def events(self, verb: str) -> list[Row]:
        return [
            event
            for event in self.story.tables["events"]
            if event["subject"] == self.row["id"] and event["type"] == f"run.{verb}"
        ]

    def _ended(self, outcome: str) -> Run:
        self._note_outcome(outcome)
        return self._step("run.failed", state="RUNNING")

    def _note_outcome(self, outcome: str) -> None:
        self.row["attempts"] = [
            *self.row["attempts"],
            {"number": self.row["attempt"], "outcome": outcome, "finished_at": self.now},
        ]

    def _journal_end(self) -> None:
        worker = self.story.worker_name(self.row["worker_id"])
        self.story.journal(worker, self.row, "end", self.now + MOMENT / 2)

    def _step(self, event: str, **changes: Any) -> Run:  # Any: column values
        """The first step is at the time of the firing, each later one a moment after the one before."""
        self.row |= changes
        self.now += MOMENT if self.row["seq"] else timedelta(0)
        data = {
            "runId": self.row["id"],
            "scheduleId": self.row["schedule_id"],
            **{name: self.row[name] for name in ("state", "cause", "attempt")},
            "workerId": self.row["worker_id"],
            "firedAt": self.row["fired_at"],
        }
        self.story.tell(event, self.row, self.now, data)
        return self


@dataclass
class Story:
    """`committed` may name an event's commit time; else it is a little after the event's `at`."""

    directory: Path
    start: datetime = field(default_factory=lambda: _whole_minute(datetime.now(UTC)) - timedelta(minutes=2))
    tables: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES + TABLES_BESIDE})
    journals: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    before_writing: list[str] = field(default_factory=list)
    committed: dict[UUID, datetime] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    streams: dict[str, Stream | None] = field(default_factory=dict)
    elected: bool = True
    accepted: list[Key] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    cursor: list[CursorSample] = field(default_factory=list)
    heard_at: dict[tuple[UUID, int], datetime] = field(default_factory=dict)
    malformed: dict[str, int] = field(default_factory=dict)
    topics: list[Message] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    cancellations: list[Key] = field(default_factory=list)

    def at(self, second: float) -> datetime:
        return self.start + timedelta(seconds=second)

    def job(self, name: str = "work", **limits: Any) -> Row:  # Any: JSON
        """Three attempts, with an exponential backoff from a second."""
        row = job_row(name, at=self.start)
        self.tables["jobs"].append(row)
        self.tell("job.created", row, self.start, {"name": name, "retry": RETRY} | limits)
        return row

    def worker(self, name: str) -> UUID:
        for known in self.tables["workers"]:
            if known["name"] == name:
                return UUID(str(known["id"]))
        row = worker_row(name, at=self.start)
        self.tables["workers"].append(row)
        self.tell("worker.registered", row, self.start, {"name": name})
        return UUID(str(row["id"]))

    def worker_name(self, worker: UUID) -> str:
        return next(str(row["name"]) for row in self.tables["workers"] if row["id"] == worker)

    def schedule(self, trigger: Row, *, created: float = 0, policy: str = "FIRE_ONCE", **definition: Any) -> Schedule:
        """Any: JSON. Grace is three seconds."""
        whole = {
            "tz": "UTC",
            "trigger": trigger,
            "misfire": {"policy": policy, "graceSec": 3, "catchupWindowSec": None},
            "enabled": True,
            "startAt": None,
            "endAt": None,
            "maxRuns": None,
        } | definition
        name = f"schedule {len(self.tables['schedules'])}"
        row = schedule_row(name, trigger["type"], job=self.tables["jobs"][0]["id"], at=self.at(created))
        schedule = Schedule(row, whole, self)
        self.tables["schedules"].append(row)
        self.revise(schedule, "schedule.created", self.at(created))
        return schedule

    def revise(self, schedule: Schedule, event: str, at: datetime) -> None:
        row = schedule.row
        row |= {"version": row["version"] + 1, "enabled": schedule.definition["enabled"], "updated_at": at}
        self.tables["schedule_revisions"].append(
            {
                "tenant_id": TENANT,
                "schedule_id": row["id"],
                "revision": row["version"],
                "definition": {},
                "enabled": row["enabled"],
                "deleted": False,
                "at": at,
            }
        )
        self.tell(event, row, at, dict(schedule.definition))

    def run(
        self,
        *,
        cause: str,
        due: datetime,
        schedule: Schedule | None = None,
        fired: datetime | None = None,
        epoch: int | None = None,
        job: Row | None = None,
        payload: Row | None = None,
        receiver: str = "",
    ) -> Run:
        """Of `job`, else of the first one; with a `receiver`, a delivery of that kind."""
        job_id = None if receiver else (job or self.tables["jobs"][0])["id"]
        row = run_row(cause, due, made=fired or due, job=job_id, receiver=receiver) | {
            "schedule_id": schedule and schedule.row["id"],
            "payload": payload,
            "fired_at": fired,
            "fired_epoch": epoch,
        }
        self.tables["runs"].append(row)
        return Run(row, self, fired or due)

    def run_of(self, schedule: Schedule, due: datetime) -> Run:
        row = next(
            row for row in self.tables["runs"] if (row["schedule_id"], row["scheduled_for"]) == (schedule.id, due)
        )
        return Run(row, self, max(event["at"] for event in self.tables["events"] if event["subject"] == row["id"]))

    def tell(self, event: str, row: Row, at: datetime, data: Row) -> None:
        row["seq"] += 1
        self.tables["events"].append(
            {
                "tenant_id": TENANT,
                "id": uuid7(),
                "type": event,
                "subject": row["id"],
                "seq": row["seq"],
                "at": at,
                "data": data,
            }
        )

    def journal(self, worker: str, row: Row, event: str, at: datetime) -> None:
        self.journals[worker].append(
            {"runId": str(row["id"]), "attempt": row["attempt"], "workerId": worker, "event": event, "at": at}
        )

    def reject(self, run: Run, kind: str, *, attempt: int, worker: str, at: datetime) -> None:
        self.tables["rejected_reports"].append(
            {
                "tenant_id": TENANT,
                "id": uuid7(),
                "at": at,
                "reason": "not current",
                "kind": kind,
                "run_id": run.row["id"],
                "attempt": attempt,
                "worker_id": self.worker(worker),
            }
        )

    def term(self, epoch: int, holder: str, at: datetime) -> None:
        self.tables["lease_terms"].append({"name": "leader", "epoch": epoch, "holder": holder, "began_at": at})

    def number_events(self) -> None:
        """Positions in order of time; a test may change them afterwards."""
        self.tables["events"].sort(key=lambda event: event["at"])
        for position, event in enumerate(self.tables["events"], start=1):
            event["position"] = position

    def publish(self) -> None:
        """The bus as it is when all is quiet."""
        messages = [
            Message(seq, f"scheduler.{event['type']}.{TENANT}", str(event["id"]), event["at"] + 5 * MOMENT)
            for seq, event in enumerate(self.tables["events"], start=1)
        ]
        self.streams = {
            EVENTS: Stream(self.start - SECOND, 1, messages, ()),
            WORK: Stream(self.start - SECOND, 1, [], ()),
            REPORTS: Stream(self.start - SECOND, 1, [], [Reader("intake", 0, 0)]),
            TOPICS: Stream(self.start - SECOND, 1, self.topics, ()),
        }

    def watch(self) -> None:
        """As a reader of the log and a watcher of the relay's cursor saw it, from outside."""
        events = self.tables["events"]
        self.seen = [Seen(event["position"], event["id"]) for event in events]
        self.cursor = [CursorSample(event["at"] + 6 * MOMENT, event["position"]) for event in events]

    def heard(self) -> dict[tuple[UUID, int], datetime]:
        """When each STARTED was on the bus."""
        return {
            (event["subject"], event["data"]["attempt"]): event["at"] - MOMENT / 2
            for event in self.tables["events"]
            if event["type"] == "run.started"
        } | self.heard_at

    def reject_unreadable(self, mark: str, at: datetime) -> None:
        """A message that nobody can read, and that was kept."""
        self.malformed[mark] = 1
        row = {"tenant_id": TENANT, "id": uuid7(), "at": at, "reason": "not JSON", "body": mark}
        self.tables["rejected_reports"].append(row)


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
