"""The calls of the HTTP API, as values: both clients send the same ones.

Definitions are the contract's own JSON (camelCase), so that they read like its pages.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

from rota.entrypoints.sdk.models import (
    Calendar,
    DeadGroup,
    Explanation,
    Fires,
    Items,
    Job,
    Page,
    Redrive,
    RedriveAsked,
    Run,
    Schedule,
    WouldRedrive,
)

T = TypeVar("T")
Definition = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, and what its answer is read as."""

    method: str
    path: str
    answer: TypeAdapter[T]
    body: object = None
    query: Mapping[str, str | Sequence[str]] | None = None


_SCHEDULE = TypeAdapter(Schedule)
_JOB = TypeAdapter(Job)
_RUN = TypeAdapter(Run)
_REDRIVE = TypeAdapter(Redrive)


def create_job(definition: Definition) -> Call[Job]:
    return Call("POST", "/jobs", _JOB, definition)


def list_jobs(filters: Mapping[str, object]) -> Call[Page[Job]]:
    return Call("GET", "/jobs", TypeAdapter(Page[Job]), query=_query(filters))


def create_schedule(definition: Definition) -> Call[Schedule]:
    return Call("POST", "/schedules", _SCHEDULE, definition)


def create_schedules(definitions: Iterable[Definition]) -> Call[Items[Schedule]]:
    return Call("POST", "/schedules/batch", TypeAdapter(Items[Schedule]), list(definitions))


def get_schedule(schedule_id: str) -> Call[Schedule]:
    return Call("GET", f"/schedules/{_part(schedule_id)}", _SCHEDULE)


def list_schedules(filters: Mapping[str, object]) -> Call[Page[Schedule]]:
    return Call("GET", "/schedules", TypeAdapter(Page[Schedule]), query=_query(filters))


def explain(schedule_id: str, at: datetime | str) -> Call[Explanation]:
    said = at if isinstance(at, str) else at.isoformat()
    return Call("GET", f"/schedules/{_part(schedule_id)}/explain", TypeAdapter(Explanation), query={"at": said})


def change_schedule(schedule_id: str, patch: Definition) -> Call[Schedule]:
    return Call("PATCH", f"/schedules/{_part(schedule_id)}", _SCHEDULE, patch)


def preview(question: Definition) -> Call[Fires]:
    return Call("POST", "/schedules/preview", TypeAdapter(Fires), question)


def list_calendars(filters: Mapping[str, object]) -> Call[Page[Calendar]]:
    return Call("GET", "/calendars", TypeAdapter(Page[Calendar]), query=_query(filters))


def run(order: Definition) -> Call[Run]:
    return Call("POST", "/runs", _RUN, order)


def run_many(orders: Iterable[Definition]) -> Call[Items[Run]]:
    return Call("POST", "/runs/batch", TypeAdapter(Items[Run]), list(orders))


def get_run(run_id: str) -> Call[Run]:
    return Call("GET", f"/runs/{_part(run_id)}", _RUN)


def cancel_run(run_id: str, reason: str) -> Call[Run]:
    return Call("POST", f"/runs/{_part(run_id)}/cancel", _RUN, {"reason": reason})


def retry_run(run_id: str, order: Definition) -> Call[Run]:
    return Call("POST", f"/runs/{_part(run_id)}/retry", _RUN, order)


def list_runs(filters: Mapping[str, object]) -> Call[Page[Run]]:
    return Call("GET", "/runs", TypeAdapter(Page[Run]), query=_query(filters))


def list_dead(filters: Mapping[str, object]) -> Call[Page[DeadGroup]]:
    return Call("GET", "/runs/dead", TypeAdapter(Page[DeadGroup]), query=_query(filters))


def redrive(order: Definition) -> Call[RedriveAsked]:
    return Call("POST", "/runs/redrive", TypeAdapter(RedriveAsked), order)


def would_redrive(order: Definition) -> Call[WouldRedrive]:
    return Call("POST", "/runs/redrive", TypeAdapter(WouldRedrive), {**order, "dryRun": True})


def get_redrive(redrive_id: str) -> Call[Redrive]:
    return Call("GET", f"/redrives/{_part(redrive_id)}", _REDRIVE)


def cancel_redrive(redrive_id: str, reason: str) -> Call[Redrive]:
    return Call("POST", f"/redrives/{_part(redrive_id)}/cancel", _REDRIVE, {"reason": reason})


def _part(name: str) -> str:
    return quote(name, safe="")


def _query(filters: Mapping[str, object]) -> dict[str, str | Sequence[str]]:
    """`{"enabled": True}` as the server reads it; a filter that is None is none, one that is a list is said often."""
    return {name: _text(value) for name, value in filters.items() if value is not None}


def _text(value: object) -> str | Sequence[str]:
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
