"""Deliveries: what Rota carries out itself, to a receiver that is no worker."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias
from urllib.parse import urlsplit

from rota.domain.errors import InvalidError
from rota.domain.ids import slug
from rota.domain.terms import Terms

MAX_TOPIC = 200
MAX_URL = 2_000
MAX_HEADERS = 50
MAX_BODY = 256 * 1024
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
AT_ONCE = 128
"""How many deliveries may be under way to one receiver of one tenant, so that one that hangs holds up no other."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TOPIC = re.compile(r"[^\s.*>\x00-\x20\x7f]+(\.[^\s.*>\x00-\x20\x7f]+)*")
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "transfer-encoding",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)


class DeliveryKind(StrEnum):
    EVENT = "EVENT"
    HTTP = "HTTP"
    QUEUE = "QUEUE"


@dataclass(frozen=True, slots=True)
class EventReceiver:
    """Listeners on the bus: a CloudEvent on `topic.<tenant>.<topic>`."""

    topic: str

    def __post_init__(self) -> None:
        _check_topic(self.topic, "eventTopic")

    @property
    def kind(self) -> DeliveryKind:
        return DeliveryKind.EVENT

    @property
    def lane(self) -> str:
        return "event"


@dataclass(frozen=True, slots=True)
class QueueReceiver:
    """A queue; `broker` None is JetStream, `topic.<tenant>.<topic>`."""

    topic: str
    broker: str | None = None

    def __post_init__(self) -> None:
        _check_topic(self.topic, "queue.topic")
        if self.broker is not None:
            slug(self.broker, "queue.broker")

    @property
    def kind(self) -> DeliveryKind:
        return DeliveryKind.QUEUE

    @property
    def lane(self) -> str:
        return f"queue:{self.broker or ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReceiver:
    """An HTTP endpoint. `body` is sent as it is; None sends the run's description, or its payload if it has one.

    `expect_status` replaces the rule that any 2xx is a success.
    """

    url: str
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    expect_status: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.method not in METHODS:
            raise InvalidError(f"must be one of {', '.join(METHODS)}", "http.method")
        if len(self.headers) > MAX_HEADERS:
            raise InvalidError(f"at most {MAX_HEADERS} headers", "http.headers")
        for name, value in self.headers:
            _check_header(name, value)
        if self.body is not None and not _is_text(self.body):
            raise InvalidError("must be text of at most 256 KiB", "http.body")
        for status in self.expect_status:
            if not 200 <= status <= 599:
                raise InvalidError("must be from 200 to 599", "http.expectStatus")

    @property
    def kind(self) -> DeliveryKind:
        return DeliveryKind.HTTP

    @property
    def lane(self) -> str:
        """All that goes to one scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.lower()}"


Receiver: TypeAlias = EventReceiver | QueueReceiver | HttpReceiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Terms):
    """One receiver, and the terms on which it is delivered to; the payload is the run's."""

    receiver: Receiver
    timeout: timedelta = timedelta(seconds=30)
    max_concurrent: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        Terms.__post_init__(self)
        object.__setattr__(self, "max_concurrent", at_once(self.receiver.lane))


def at_once(lane: str) -> int | None:
    """How many deliveries of a tenant may be under way in a lane; the bus itself, which hangs for all, has no bound."""
    return None if lane in ("event", "queue:") else AT_ONCE


def is_delivery_lane(lane: str) -> bool:
    """Whether a lane's name is a receiver's; a job's lane is named by the job's id."""
    return lane.startswith(("event", "queue:", "http://", "https://"))


def _check_topic(topic: str, field_name: str) -> None:
    if len(topic) > MAX_TOPIC or not _TOPIC.fullmatch(topic):
        raise InvalidError(f"must be 1 to {MAX_TOPIC} characters, words joined by dots, no spaces, * or >", field_name)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidError(f"is no URL: {error}", "http.url") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidError("must be an http or https URL with a host", "http.url")
    if parts.username is not None or parts.password is not None:
        raise InvalidError("must not carry a user or password", "http.url")
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or any(char in " \\" for char in url):
        raise InvalidError(
            f"must be {MAX_URL} printable ASCII characters at most, no spaces, no backslashes", "http.url"
        )
    if port == 0:
        raise InvalidError("must not have port 0", "http.url")


def _is_text(text: str) -> bool:
    """Whether it can be sent: lone surrogates cannot."""
    try:
        return len(text.encode()) <= MAX_BODY
    except UnicodeEncodeError:
        return False


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise InvalidError(f"{name[:80]!r} is no name of a header", "http.headers")
    if name.lower() in _OURS:
        raise InvalidError("is set by Rota", f"http.headers.{name}")
    if len(value) > 4_000 or not _is_text(value) or any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise InvalidError("must be at most 4,000 characters without control characters", f"http.headers.{name}")
