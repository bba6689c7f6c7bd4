"""What the server answers, typed. A newer server may say more: that is kept as extra attributes."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

FINAL_STATES: Final = frozenset({"SUCCEEDED", "DEAD", "CANCELLED", "SKIPPED"})

T = TypeVar("T")


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)


class Schedule(_Answer):
    id: str
    name: str
    description: str = ""
    labels: Mapping[str, str] = {}
    tz: str = "UTC"
    enabled: bool
    trigger: Mapping[str, Any]
    target: Mapping[str, Any]
    next_fire_at: datetime | None = None
    last_fire_at: datetime | None = None
    version: int


class DueTime(_Answer):
    """`due_at` is `scheduled_for` after calendar and jitter."""

    scheduled_for: datetime
    due_at: datetime


class Skipped(Schedule):
    """The schedule, and the due times that will not fire."""

    skipped: Sequence[DueTime]


class Fire(_Answer):
    """`at` is when it is acted on, `local` the same by the clock of the schedule's zone; `note` is what touched it."""

    at: datetime
    scheduled_for: datetime
    local: datetime
    note: str | None = None


class Fires(_Answer):
    fires: Sequence[Fire]


class Miss(_Answer):
    """Due times that the misfire policy did not run."""

    first: datetime
    last: datetime
    count: int
    rule: str
    decided_at: datetime


class Step(_Answer):
    """What one rule said of an instant."""

    rule: str
    outcome: str
    detail: str


class Explanation(_Answer):
    """Why a schedule did or will fire at `at`, or not: the rules in the order in which they were asked."""

    at: datetime
    scheduled_for: datetime | None = None
    due_at: datetime | None = None
    items: Sequence[Step]


class Job(_Answer):
    id: str
    name: str
    labels: Mapping[str, str] = {}
    queue: str
    version: int


class Worker(_Answer):
    """`state` is ONLINE, DRAINING or OFFLINE; `running` counts its runs."""

    id: str
    name: str
    state: str
    jobs: Sequence[str]
    capabilities: Sequence[str] = ()
    slots: int
    running: int
    last_seen_at: datetime


class Calendar(_Answer):
    id: str
    name: str
    description: str = ""
    labels: Mapping[str, str] = {}
    tz: str | None = None
    working_days: Sequence[str]
    holidays: Sequence[Mapping[str, Any]] = ()
    closures: Sequence[Mapping[str, Any]] = ()
    includes: Sequence[str] = ()
    version: int


class Moved(_Answer):
    """A schedule whose next fire moves; None where there is none."""

    schedule_id: str
    name: str
    from_: datetime | None = Field(default=None, alias="from")
    to: datetime | None = None


class ChangedCalendar(Calendar):
    """The calendar, and the schedules whose next fires move with it."""

    affected: Sequence[Moved]


class ImportedDays(_Answer):
    """`taken` is what is new in the calendar; `left_out` the events that say nothing of closed days, and why."""

    calendar: Calendar
    taken: Mapping[str, Sequence[Mapping[str, Any]]]
    left_out: Sequence[Mapping[str, str]]
    affected: Sequence[Moved]


class Day(_Answer):
    """`reason` is None for an ordinary working day."""

    date: date
    open: bool
    reason: str | None = None


class Days(_Answer):
    days: Sequence[Day]


class Run(_Answer):
    id: str
    state: str
    cause: str
    job: str | None = None
    schedule_id: str | None = None
    scheduled_for: datetime | None = None
    due_at: datetime | None = None
    attempt: int = 0
    worker_id: str | None = None
    result: Any = None
    error: Any = None
    reason: str | None = None
    target: str | None = None
    next_attempt_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    retry_of: str | None = None
    priority: int = 0

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES


class DeadGroup(_Answer):
    """Runs that died alike. `first` and `last` are when they died; the example is the newest of them."""

    fingerprint: str
    job: str | None = None
    error_type: str | None = None
    message: str | None = None
    count: int
    first: datetime
    last: datetime
    example_run_id: str


class WouldRedrive(_Answer):
    """What a redrive would take, and the biggest groups that it is of."""

    count: int
    groups: Sequence[DeadGroup]


class RedriveAsked(_Answer):
    """A redrive that has begun, and how many dead letters are its own."""

    id: str
    count: int


class Redrive(_Answer):
    """Of `count` dead letters `made` have a new run, `passed` were passed over; `dead` new runs are DEAD again."""

    id: str
    state: str
    count: int
    made: int
    passed: int = 0
    dead: int
    reason: str | None = None

    @property
    def is_over(self) -> bool:
        return self.state != "RUNNING"


class WouldBackfill(_Answer):
    """How many due times have no run."""

    count: int


class BackfillAsked(_Answer):
    """A backfill that has begun, and how many runs it will make."""

    id: str
    count: int


class Backfill(_Answer):
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

    @property
    def is_over(self) -> bool:
        """No run of it is still to be made, nor to end."""
        return self.state != "RUNNING" and self.unfinished == 0


class Page(_Answer, Generic[T]):
    """One page of a list; `next_cursor` leads to the next."""

    items: Sequence[T]
    next_cursor: str | None = None


class Items(_Answer, Generic[T]):
    """The answer to a batch, in its order."""

    items: Sequence[T]
