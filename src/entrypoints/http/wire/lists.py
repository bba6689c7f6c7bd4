"""Lists: what may be asked of them, and the shape of a page."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from rota.application.ports.reads import CalendarFilter, JobFilter, Page, Paging, RunFilter, ScheduleFilter
from rota.application.preview_fires import MOST
from rota.application.views.values import View
from rota.domain.errors import InvalidError
from rota.domain.ids import ScheduleId, WorkerId
from rota.domain.run_events import Cause, RunState
from rota.entrypoints.http.wire.base import Answer, Instant, Name, instant

Item = TypeVar("Item")
Place = TypeVar("Place")

DEFAULT, MOST_LISTED, LAST_PAGE = 50, 200, 1_000_000


def _pair(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon or not key or not text.isprintable():
        raise PydanticCustomError("label", "must be key:value")
    return key, value


def _true_or_false(text: object) -> object:
    if text not in ("true", "false"):
        raise PydanticCustomError("boolean", "must be true or false")
    return text == "true"


def _prefix(text: str) -> str:
    if len(text) > 200 or not (text.isprintable()):
        raise PydanticCustomError("text", "must have at most 200 printable characters")
    return text


def _fingerprint(text: str) -> str:
    if not _FINGERPRINT.fullmatch(text):
        raise PydanticCustomError("fingerprint", "must be 16 hexadecimal digits")
    return text


_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16}")

Label = Annotated[str, AfterValidator(lambda text: ":".join(_pair(text))), Field(json_schema_extra={"format": "label"})]
Flag = Annotated[bool, BeforeValidator(_true_or_false)]
Prefix = Annotated[str, AfterValidator(_prefix), Field(json_schema_extra={"maxLength": 200, "format": "printable"})]
Fingerprint = Annotated[str, AfterValidator(_fingerprint), Field(json_schema_extra={"pattern": "^[0-9a-f]{16}$"})]
AtMost = Annotated[int, Field(ge=1, le=MOST_LISTED)]


class Parameters(BaseModel):
    """Of a query; they are texts, and read as what they should be. `tenantId` must be the caller's tenant."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    tenant_id: str | None = None


class PagedQuery(Parameters):
    """A list by cursor, or by page."""

    limit: AtMost | None = None
    cursor: str | None = Field(default=None, max_length=200, json_schema_extra={"format": "cursor"})
    page: int | None = Field(default=None, ge=1, le=LAST_PAGE)
    page_size: AtMost | None = None

    def paging_by(self, read: Callable[[str], Place]) -> Paging[Place]:
        """`read` makes a place of a text, or raises ValueError. Raises InvalidError."""
        if self.page is None and self.page_size is None:
            return Paging(self.limit or DEFAULT, None if self.cursor is None else read_cursor(self.cursor, read))
        for name in ("limit", "cursor"):
            if getattr(self, name) is not None:
                raise InvalidError("does not go together with page and pageSize", name)
        return Paging(self.page_size or DEFAULT, page=self.page or 1)


class ListQuery(PagedQuery):
    """The newest first."""

    def paging(self) -> Paging[UUID]:
        """Raises InvalidError."""
        return self.paging_by(UUID)


class JobQuery(ListQuery):
    name: Prefix | None = None
    queue: Prefix | None = None

    def wanted(self) -> JobFilter:
        return JobFilter(name_prefix=self.name, queue=self.queue)


class CalendarQuery(ListQuery):
    """`name` is a prefix."""

    name: Prefix | None = None

    def wanted(self) -> CalendarFilter:
        return CalendarFilter(name_prefix=self.name)


class ScheduleQuery(ListQuery):
    """`name` is a prefix; all of the labels must be there."""

    enabled: Flag | None = None
    name: Prefix | None = None
    label: list[Label] = []
    kind: Literal["JOB", "EVENT", "HTTP", "QUEUE"] | None = None

    def wanted(self) -> ScheduleFilter:
        return ScheduleFilter(enabled=self.enabled, name_prefix=self.name, labels=labels_of(self.label), kind=self.kind)


class RunQuery(ListQuery):
    """`from` (included) and `to` (excluded) judge `scheduledFor`; of several states or causes one is enough."""

    schedule_id: UUID | None = None
    job: Name | None = None
    worker_id: UUID | None = None
    state: list[RunState] = []
    fingerprint: Fingerprint | None = None
    cause: list[Cause] = []
    label: list[Label] = []
    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None

    def wanted(self) -> RunFilter:
        return RunFilter(
            schedule_id=ScheduleId(self.schedule_id) if self.schedule_id else None,
            job=self.job,
            worker_id=WorkerId(self.worker_id) if self.worker_id else None,
            states=self.state,
            fingerprint=self.fingerprint,
            causes=self.cause,
            labels=labels_of(self.label),
            since=self.from_,
            until=self.to,
        )


class FiresQuery(Parameters):
    from_: Instant | None = Field(default=None, alias="from")
    count: int = Field(default=10, ge=1, le=MOST)


class ExplainQuery(Parameters):
    """The instant that is asked about: the trigger's own, or that at which it is acted on."""

    at: Instant


class EventsQuery(PagedQuery):
    """The oldest first."""

    def paging(self) -> Paging[int]:
        """Raises InvalidError."""
        return self.paging_by(int)


class MissesQuery(PagedQuery):
    """The latest first."""

    def paging(self) -> Paging[datetime]:
        """Raises InvalidError."""
        return self.paging_by(instant)


class PageOut(Answer, Generic[Item]):
    """`page`, `pageSize` and `total` come with a list asked for by page."""

    items: list[Item]
    next_cursor: str | None
    page: int | None = None
    page_size: int | None = None
    total: int | None = None


class ItemsOut(Answer, Generic[Item]):
    """In the order of the batch."""

    items: list[Item]


def page_view(
    page: Page[Item], paging: Paging[Place], view: Callable[[Item], View], place: Callable[[Place], str] = str
) -> View:
    """`place` writes one so that the query can read it."""
    listed: View = {
        "items": [view(item) for item in page.items],
        "nextCursor": None if page.next_after is None else cursor_of(place(page.next_after)),
    }
    if paging.page is not None:
        listed |= {"page": paging.page, "pageSize": paging.limit, "total": page.total}
    return listed


def labels_of(pairs: Sequence[str]) -> Mapping[str, str] | None:
    labels: dict[str, str] = {}
    for key, value in map(_pair, pairs):
        if labels.setdefault(key, value) != value:
            raise InvalidError(f"one label cannot have two values: {key}", "label")
    return labels or None


def cursor_of(place: str) -> str:
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read_cursor(cursor: str, read: Callable[[str], Place]) -> Place:
    try:
        return read(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except ValueError as error:
        raise InvalidError("is not one that a list has answered", "cursor") from error
