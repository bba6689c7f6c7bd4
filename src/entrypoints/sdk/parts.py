"""What the server's answers are made of. A newer server may say more: that is kept as extra attributes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Number: TypeAlias = int | float
"""As the server wrote it: 60 stays 60."""


class Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)


class Backoff(Answer):
    """`kind` is FIXED, LINEAR or EXPONENTIAL."""

    kind: str
    initial_sec: Number
    factor: Number
    max_sec: Number
    jitter: Number


class Retrying(Answer):
    max_attempts: int
    not_on: Sequence[str] = ()
    backoff: Backoff


class RateLimit(Answer):
    count: int
    per_sec: Number


class Misfire(Answer):
    policy: str
    grace_sec: Number
    catchup_window_sec: Number | None = None


class CalendarRule(Answer):
    calendar_id: str
    on_closed: str


class RunError(Answer):
    type: str
    message: str
    stack: str | None = None


class Progress(Answer):
    """`value` goes from 0 to 1."""

    value: Number
    note: str = ""


class Attempt(Answer):
    """`outcome` is None while it goes on; `answer` is what the receiver of a delivery said."""

    attempt: int
    worker_id: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: str | None = None
    error: RunError | None = None
    answer: Any = None
