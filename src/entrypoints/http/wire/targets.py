"""Targets on the wire: a job by its name, or a receiver to which Rota delivers itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from rota.domain.delivery import MAX_HEADERS, MAX_TOPIC, METHODS, EventReceiver, HttpReceiver, QueueReceiver, Receiver
from rota.domain.errors import InvalidError
from rota.domain.terms import MAX_TIMEOUT
from rota.entrypoints.http.wire.base import (
    MOST_PAYLOAD_KIB,
    Answer,
    JobName,
    Payload,
    Queue,
    Text,
    Whole,
    Wire,
    bounds,
)


def _within_payload_size(text: str) -> str:
    if len(text.encode()) > MOST_PAYLOAD_KIB * 1024:
        raise PydanticCustomError("text", "must be at most {most} KiB", {"most": MOST_PAYLOAD_KIB})
    return text


def _listed(value: object) -> object:
    """One status is as good as a list of it."""
    return [value] if isinstance(value, int) else value


Topic = Annotated[str, Field(json_schema_extra={"format": "topic", "minLength": 1, "maxLength": MAX_TOPIC})]


class JobTargetIn(Wire):
    kind: Literal["JOB"]
    job: JobName
    payload: Payload = None


class EventTargetIn(Wire):
    """A CloudEvent on `topic.<tenant>.<eventTopic>`."""

    kind: Literal["EVENT"]
    event_topic: Topic
    payload: Payload = None

    def to_receiver(self) -> Receiver:
        return EventReceiver(self.event_topic)


class QueueIn(Wire):
    topic: Topic
    broker: Queue | None = None


class QueueTargetIn(Wire):
    """A message in a queue; without `broker`, in JetStream."""

    kind: Literal["QUEUE"]
    queue: QueueIn
    payload: Payload = None

    def to_receiver(self) -> Receiver:
        return QueueReceiver(self.queue.topic, self.queue.broker)


class HttpIn(Wire):
    """`body` is sent as it is; without it the payload is, or else a description of the run. `timeoutSec` goes before
    the schedule's; without `expectStatus` any 2xx is a success.
    """

    url: Annotated[str, Field(json_schema_extra={"format": "http-url"})]
    method: Literal[METHODS] = "POST"  # type: ignore[valid-type]  # one list, which the domain has
    headers: dict[str, str] = Field(
        default_factory=dict,
        json_schema_extra={
            "maxProperties": MAX_HEADERS,
            "propertyNames": {"format": "header-name"},
            "additionalProperties": {"type": "string", "format": "header-value"},
        },
    )
    body: Annotated[Text, AfterValidator(_within_payload_size)] | None = None
    timeout_sec: Annotated[float, Field(ge=1e-6, le=MAX_TIMEOUT.total_seconds())] | None = None
    expect_status: Annotated[
        list[Annotated[Whole, bounds(200, 599)]], BeforeValidator(_listed), Field(default_factory=list, max_length=100)
    ]


class HttpTargetIn(Wire):
    kind: Literal["HTTP"]
    http: HttpIn
    payload: Payload = None

    def to_receiver(self) -> Receiver:
        """Raises InvalidError."""
        _check_named_once(self.http.headers)
        return HttpReceiver(
            url=self.http.url,
            method=self.http.method,
            headers=tuple(self.http.headers.items()),
            body=self.http.body,
            expect_status=tuple(self.http.expect_status),
        )


def _check_named_once(headers: dict[str, str]) -> None:
    """The names of headers are the same in capitals."""
    seen: set[str] = set()
    for name in headers:
        if name.lower() in seen:
            raise InvalidError("is said twice", f"http.headers.{name}")
        seen.add(name.lower())


TargetIn: TypeAlias = Annotated[JobTargetIn | EventTargetIn | HttpTargetIn | QueueTargetIn, Field(discriminator="kind")]


class JobTargetOut(Answer):
    kind: Literal["JOB"]
    job: str
    payload: Any


class EventTargetOut(Answer):
    kind: Literal["EVENT"]
    event_topic: str
    payload: Any


class QueueOut(Answer):
    topic: str
    broker: str | None


class QueueTargetOut(Answer):
    kind: Literal["QUEUE"]
    queue: QueueOut
    payload: Any


class HttpOut(Answer):
    url: str
    method: str
    headers: dict[str, str]
    body: str | None
    timeout_sec: float
    expect_status: list[int]


class HttpTargetOut(Answer):
    kind: Literal["HTTP"]
    http: HttpOut
    payload: Any


TargetOut: TypeAlias = Annotated[
    JobTargetOut | EventTargetOut | HttpTargetOut | QueueTargetOut, Field(discriminator="kind")
]
