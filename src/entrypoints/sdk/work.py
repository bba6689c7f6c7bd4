"""The work message, and the attempt it becomes in this process."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, auto
from typing import Any, Protocol

from rota.entrypoints.sdk import wire

Key = tuple[str, int]


class MalformedWorkError(ValueError):
    """A message that no sending again will make readable."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One attempt of one run, as the leader sent it."""

    run_id: str
    attempt: int
    job: str
    body: dict[str, Any]  # the message, whatever else it says

    @property
    def key(self) -> Key:
        return self.run_id, self.attempt

    @property
    def payload(self) -> Any:
        return self.body.get("payload")

    @property
    def timeout(self) -> float | None:
        return self.body.get("timeoutSec")

    def time_limit(self, now: datetime) -> float | None:
        """Seconds that a handler has which starts `now`: the attempt's, or less where the run's deadline comes sooner.

        A deadline that has passed here limits nothing: whether it has is for the server's clock to say.
        """
        deadline = self.instant("deadline")
        left = 0.0 if deadline is None else (deadline - now).total_seconds()
        return min((limit for limit in (self.timeout, left if left > 0 else None) if limit is not None), default=None)

    def text(self, name: str) -> str | None:
        value = self.body.get(name)
        return None if value is None else str(value)

    def instant(self, name: str) -> datetime | None:
        text = self.text(name)
        return None if text is None else wire.instant(text)


def read_work(data: bytes) -> WorkItem:
    """Raises MalformedWorkError."""
    try:
        body = wire.decode(data)
        item = WorkItem(body["runId"], body["attempt"], body["job"], body)
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedWorkError(f"not a work message: {error!r}") from error
    _check(item)
    return item


def _check(item: WorkItem) -> None:
    if not (isinstance(item.run_id, str) and isinstance(item.attempt, int) and isinstance(item.job, str)):
        raise MalformedWorkError("runId, attempt or job is of the wrong type")
    timeout = item.timeout
    if not (timeout is None or (isinstance(timeout, int | float) and timeout >= 0)):
        raise MalformedWorkError("timeoutSec is no number of seconds")
    try:
        item.instant("deadline")
    except ValueError as error:
        raise MalformedWorkError(f"deadline is no instant: {error}") from error


class Stage(IntEnum):
    """How far an attempt has come here. It is named in heartbeats from STARTING to ENDED."""

    CLAIMED = auto()
    """Its message is here, nothing has been said about it: can still be NAKed."""
    STARTING = auto()
    """Its STARTED is under way, and a slot is kept for it."""
    RUNNING = auto()
    ENDED = auto()
    """Its final report is under way."""
    GONE = auto()
    """No longer ours: reported and acknowledged, given back, or lost."""


class Stop(IntEnum):
    """Why a handler is asked to end before it is done."""

    CANCEL = auto()
    TIMEOUT = auto()
    RELEASE = auto()
    LOST = auto()


class Stoppable(Protocol):
    """A handler at work."""

    def stop(self, why: Stop) -> None: ...


@dataclass(slots=True, eq=False)
class Attempt:
    """An attempt that this worker holds."""

    item: WorkItem
    job: str
    """The job as this worker registered it, whatever it is called by now."""
    reply: str
    """Where its message is acknowledged: the subject of the latest delivery."""
    since: float
    """Monotonic: when it was claimed."""
    touched: float
    """Monotonic: when the bus last heard that its message is being worked on."""
    copies: list[str] = field(default_factory=list)
    """The same of earlier deliveries, and of copies that were sent anew."""
    stage: Stage = Stage.CLAIMED
    stop: Stop | None = None
    """What has been said of it before it runs."""
    is_cancelling: bool = False
    """Whether the server knows that its CANCEL was heard."""
    execution: Stoppable | None = field(default=None, repr=False)
