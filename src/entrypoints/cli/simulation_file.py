"""A file of schedules, and of the calendars that they go by, as JSON or YAML.

    {"calendars": [what POST /calendars takes, …], "schedules": [what POST /schedules takes, …]}

or the schedules alone, as a list. A calendar is named by its name where the API wants its id. A schedule may have an
`id`: the one it has, or will have, on a server, on which its spread (`jitterSec`) depends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import ValidationError

from rota.application.batches import each
from rota.application.drafts import ScheduleDraft
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId, ScheduleId, TenantId
from rota.entrypoints.cli.documents import DocumentError, read_document
from rota.entrypoints.http.wire.calendars import CalendarIn
from rota.entrypoints.http.wire.faults import refusal
from rota.entrypoints.http.wire.schedules import ScheduleIn

Document = dict[str, Any]  # Any: JSON
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SimulationFile:
    schedules: Sequence[tuple[ScheduleId, ScheduleDraft]]
    calendars: Mapping[CalendarId, CalendarDefinition]


def read_file(path: Path, tenant_id: TenantId, default_tz: str) -> SimulationFile:
    """Raises InvalidError naming the place in the file."""
    document = _document(path)
    for name in document.keys() - {"schedules", "calendars"}:
        raise InvalidError("unknown; the file has `schedules` and `calendars`", str(name)[:80])
    named = _list(document, "calendars")
    ids = {item["name"]: _id_of(item["name"]) for item in named if isinstance(item.get("name"), str)}
    if len(ids) < len(named):
        raise InvalidError("each must have a name of its own", "calendars")
    calendars = _each(named, "calendars", lambda item: _calendar(item, ids))
    schedules = _each(
        _list(document, "schedules"), "schedules", lambda item: _schedule(item, ids, tenant_id, default_tz)
    )
    _check_names(draft for _, draft in schedules)
    return SimulationFile(schedules, dict(calendars))


def _document(path: Path) -> Document:
    try:
        found = read_document(str(path))
    except DocumentError as error:
        raise InvalidError(str(error)) from error
    if isinstance(found, list):
        return {"schedules": found}
    if not isinstance(found, dict):
        raise InvalidError("must be an object with `schedules`, or a list of schedules")
    return found


def _list(document: Document, name: str) -> list[Document]:
    found = document.get(name) or []
    if not isinstance(found, list):
        raise InvalidError("must be a list", name)
    for place, item in enumerate(found):
        if not isinstance(item, dict):
            raise InvalidError("must be an object", f"{name}.{place}")
    return found


def _each(items: Sequence[Document], name: str, read: Callable[[Document], T]) -> Sequence[T]:
    try:
        return each(items, read, indexed=True)
    except InvalidError as error:
        raise error.under(name) from error


def _calendar(item: Document, ids: Mapping[str, UUID]) -> tuple[CalendarId, CalendarDefinition]:
    included = item.get("includes")
    if isinstance(included, list):
        item = item | {"includes": [_named(each, ids, "includes") for each in included]}
    with _refusing():
        return CalendarId(ids[item["name"]]), CalendarIn.model_validate(item).to_definition()


def _schedule(
    item: Document, ids: Mapping[str, UUID], tenant_id: TenantId, default_tz: str
) -> tuple[ScheduleId, ScheduleDraft]:
    rest = {name: value for name, value in item.items() if name != "id"}
    rule = item.get("calendar")
    if isinstance(rule, dict) and "calendarId" in rule:
        rest["calendar"] = rule | {"calendarId": _named(rule["calendarId"], ids, "calendar.calendarId")}
    with _refusing():
        draft = ScheduleIn.model_validate(rest).to_draft(tenant_id, default_tz)
    return ScheduleId(_own_id(item.get("id"), draft.name)), draft


def _own_id(said: object, name: str) -> UUID:
    if said is None:
        return _id_of(name)
    try:
        return UUID(str(said))
    except ValueError as error:
        raise InvalidError("is not a UUID", "id") from error


def _id_of(name: str) -> UUID:
    """The same each time, so that a spread that follows from it is."""
    return uuid5(NAMESPACE_URL, f"urn:rota:simulated:{name}")


def _named(name: object, ids: Mapping[str, UUID], field: str) -> str:
    if not isinstance(name, str) or name not in ids:
        raise InvalidError(f"there is no calendar named {name!r} in this file", field)
    return str(ids[name])


def _check_names(drafts: Iterator[ScheduleDraft]) -> None:
    seen: set[str] = set()
    for place, draft in enumerate(drafts):
        if draft.name in seen:
            raise InvalidError(f"{draft.name!r} is taken by one before it", f"schedules.{place}.name")
        seen.add(draft.name)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise refusal(error) from error
