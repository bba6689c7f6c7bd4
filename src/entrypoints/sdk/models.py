"""What the server answers, typed. A newer server may say more: that is kept as extra attributes."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Generic, TypeVar

from pydantic import ConfigDict, Field

from rota.entrypoints.sdk.parts import (
    Answer,
    Attempt,
    CalendarRule,
    Misfire,
    Number,
    Progress,
    RateLimit,
    Retrying,
    RunError,
)

FINAL_STATES: Final = frozenset({"SUCCEEDED", "DEAD", "CANCELLED", "SKIPPED"})

T = TypeVar("T")


class Schedule(Answer):
    """`trigger` and `target` are the contract's JSON: `schedule.trigger["cron"]`.

    `next_fire_at` is None when nothing more comes; `version` is what `if_match` takes.
    """

    id: str
    tenant_id: str | None = None
    name: str
    description: str = ""
    labels: Mapping[str, str] = {}
    tz: str = "UTC"
    enabled: bool
    disabled_until: datetime | None = None
    trigger: Mapping[str, Any]
    target: Mapping[str, Any]
    retry: Retrying | None = None
    timeout_sec: Number | None = None
    calendar: CalendarRule | None = None
    misfire: Misfire | None = None
    overlap: str = "ALLOW"
    jitter_sec: Number = 0
    start_at: datetime | None = None
    end_at: datetime | None = None
    max_runs: int | None = None
    priority: int | None = None
    next_fire_at: datetime | None = None
    last_fire_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int


class DueTime(Answer):
    """`due_at` is `scheduled_for` after calendar and jitter."""

    scheduled_for: datetime
    due_at: datetime


class Skipped(Schedule):
    """The schedule, and the due times that will not fire."""

    skipped: Sequence[DueTime]


class Fire(Answer):
    """`at` is when it is acted on, `local` the same by the clock of the schedule's zone; `note` is what touched it."""

    at: datetime
    scheduled_for: datetime
    local: datetime
    note: str | None = None


class Fires(Answer):
    fires: Sequence[Fire]


class Miss(Answer):
    """Due times that the misfire policy did not run."""

    first: datetime
    last: datetime
    count: int
    rule: str
    decided_at: datetime


class Step(Answer):
    """What one rule said of an instant."""

    rule: str
    outcome: str
    detail: str


class Explanation(Answer):
    """Why a schedule did or will fire at `at`, or not: the rules in the order in which they were asked."""

    at: datetime
    scheduled_for: datetime | None = None
    due_at: datetime | None = None
    items: Sequence[Step]


class Job(Answer):
    """Durations are seconds; None is no limit. `version` is what `if_match` takes."""

    id: str
    tenant_id: str | None = None
    name: str
    labels: Mapping[str, str] = {}
    queue: str
    capabilities: Sequence[str] = ()
    retry: Retrying | None = None
    timeout_sec: Number | None = None
    start_by_sec: Number | None = None
    deadline_sec: Number | None = None
    heartbeat_timeout_sec: Number | None = None
    max_concurrent: int | None = None
    concurrency_key: str | None = None
    rate_limit: RateLimit | None = None
    priority: int = 0
    payload_schema: Mapping[str, Any] | None = None
    retention_sec: Number | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int


class Worker(Answer):
    """`state` is ONLINE, DRAINING or OFFLINE; `running` counts its runs."""

    id: str
    tenant_id: str | None = None
    name: str
    state: str
    jobs: Sequence[str]
    capabilities: Sequence[str] = ()
    slots: int
    running: int
    last_seen_at: datetime


class Calendar(Answer):
    """Holidays, closures and the like are the contract's JSON. `version` is what `if_match` takes."""

    id: str
    tenant_id: str | None = None
    name: str
    description: str = ""
    labels: Mapping[str, str] = {}
    tz: str | None = None
    working_days: Sequence[str]
    holidays: Sequence[Mapping[str, Any]] = ()
    closures: Sequence[Mapping[str, Any]] = ()
    extra_open_days: Sequence[Mapping[str, Any]] = ()
    opening_hours: Sequence[Mapping[str, Any]] = ()
    includes: Sequence[str] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int


class Moved(Answer):
    """A schedule whose next fire moves; None where there is none."""

    schedule_id: str
    name: str
    from_: datetime | None = Field(default=None, alias="from")
    to: datetime | None = None


class ChangedCalendar(Calendar):
    """The calendar, and the schedules whose next fires move with it."""

    affected: Sequence[Moved]


class ImportedDays(Answer):
    """`taken` is what is new in the calendar; `left_out` the events that say nothing of closed days, and why."""

    calendar: Calendar
    taken: Mapping[str, Sequence[Mapping[str, Any]]]
    left_out: Sequence[Mapping[str, str]]
    affected: Sequence[Moved]


class Day(Answer):
    """`reason` is None for an ordinary working day."""

    date: date
    open: bool
    reason: str | None = None


class Days(Answer):
    days: Sequence[Day]


class Run(Answer):
    """`job` is None where `target` is not JOB. `payload` and `result` are JSON."""

    id: str
    tenant_id: str | None = None
    state: str
    cause: str
    job: str | None = None
    schedule_id: str | None = None
    scheduled_for: datetime | None = None
    due_at: datetime | None = None
    fired_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0
    attempts: Sequence[Attempt] = ()
    worker_id: str | None = None
    payload: Any = None
    result: Any = None
    error: RunError | None = None
    fingerprint: str | None = None
    reason: str | None = None
    progress: Progress | None = None
    target: str | None = None
    next_attempt_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancel_acknowledged_at: datetime | None = None
    retry_of: str | None = None
    labels: Mapping[str, str] = {}
    priority: int = 0
    dedupe_key: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    created_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def has_succeeded(self) -> bool:
        return self.state == "SUCCEEDED"


class RunCounts(Answer):
    """How many runs are in which state; `complete` is false where there are more than are counted."""

    states: Mapping[str, int]
    complete: bool


class Rejection(Answer):
    """A worker's report that changed nothing, and why."""

    id: str
    at: datetime
    reason: str
    kind: str | None = None
    run_id: str | None = None
    attempt: int | None = None
    worker_id: str | None = None
    body: str | None = None


class Event(Answer):
    """A CloudEvent. `sequence` is its place in the log, `aggregateseq` that in its aggregate's history."""

    model_config = ConfigDict(alias_generator=None)

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    tenantid: str
    sequence: int
    aggregateseq: int
    correlationid: str | None = None
    traceparent: str | None = None
    data: Mapping[str, Any]


class DeadGroup(Answer):
    """Runs that died alike. `first` and `last` are when they died; the example is the newest of them."""

    fingerprint: str
    job: str | None = None
    error_type: str | None = None
    message: str | None = None
    count: int
    first: datetime
    last: datetime
    example_run_id: str


class WouldRedrive(Answer):
    """What a redrive would take, and the biggest groups that it is of."""

    count: int
    groups: Sequence[DeadGroup]


class RedriveAsked(Answer):
    """A redrive that has begun, and how many dead letters are its own."""

    id: str
    count: int


class Redrive(Answer):
    """Of `count` dead letters `made` have a new run, `passed` were passed over; `dead` new runs are DEAD again."""

    id: str
    state: str
    count: int
    made: int
    passed: int = 0
    dead: int
    reason: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.state != "RUNNING"


class WouldBackfill(Answer):
    """How many due times have no run."""

    count: int


class BackfillAsked(Answer):
    """A backfill that has begun, and how many runs it will make."""

    id: str
    count: int


class Backfill(Answer):
    """Of `count` due times `made` have a run of this backfill; the rest tells what has become of these runs."""

    id: str
    state: str
    count: int
    made: int
    unfinished: int = 0
    succeeded: int = 0
    dead: int = 0
    cancelled: int = 0
    reason: str | None = None
    schedule_id: str | None = None
    from_: datetime | None = Field(default=None, alias="from")
    to: datetime | None = None
    max_concurrent: int | None = None
    reached: datetime | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """No run of it is still to be made, nor to end."""
        return self.state != "RUNNING" and self.unfinished == 0


class Page(Answer, Generic[T]):
    """One page of a list; `next_cursor` leads to the next. A list asked for by page tells how many there are."""

    items: Sequence[T]
    next_cursor: str | None = None

    @property
    def total(self) -> int | None:
        return (self.model_extra or {}).get("total")


class Items(Answer, Generic[T]):
    """The answer to a batch, in its order."""

    items: Sequence[T]
