"""What the server answers, typed. A newer server may say more: that is kept as extra attributes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

FINAL_STATES: Final = frozenset({"SUCCEEDED", "DEAD", "CANCELLED", "SKIPPED"})

T = TypeVar("T")


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)


class Schedule(_Answer):
    id: str
    name: str
    enabled: bool
    trigger: Mapping[str, Any]
    target: Mapping[str, Any]
    tz: str = "UTC"
    description: str = ""
    labels: Mapping[str, str] = {}
    next_fire_at: datetime | None = None
    last_fire_at: datetime | None = None
    version: int


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


class Fire(_Answer):
    """`at` is when it is acted on, `local` the same by the clock of the schedule's zone; `note` is what touched it."""

    at: datetime
    scheduled_for: datetime
    local: datetime
    note: str | None = None


class Fires(_Answer):
    fires: Sequence[Fire]


class Calendar(_Answer):
    id: str
    name: str
    version: int


class Job(_Answer):
    id: str
    name: str
    queue: str
    version: int


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


class Page(_Answer, Generic[T]):
    """One page of a list; `next_cursor` leads to the next."""

    items: Sequence[T]
    next_cursor: str | None = None


class Items(_Answer, Generic[T]):
    """The answer to a batch, in its order."""

    items: Sequence[T]
