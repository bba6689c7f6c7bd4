"""The calls of the HTTP API, as values: both clients send the same ones.

Definitions are the contract's own JSON (camelCase), so that they read like its pages.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import (
    dataclass,
    replace,
)
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

from rota.entrypoints.sdk.models import (
    Backfill,
    BackfillAsked,
    Calendar,
    ChangedCalendar,
    Days,
    DeadGroup,
    Explanation,
    Fires,
    ImportedDays,
    Items,
    Job,
    Miss,
    Page,
    Redrive,
    RedriveAsked,
    Run,
    Schedule,
    Skipped,
    Worker,
    WouldBackfill,
    WouldRedrive,
)

T = TypeVar("T")
Definition = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, and what its answer is read as: bytes are the answer itself."""

    method: str
    path: str
    answer: TypeAdapter[T]
    body: object = None
    query: Mapping[str, str | Sequence[str]] | None = None
    content_type: str = "application/json"


_SCHEDULE = TypeAdapter(Schedule)
_JOB = TypeAdapter(Job)
_RUN = TypeAdapter(Run)
_REDRIVE = TypeAdapter(Redrive)
_BACKFILL = TypeAdapter(Backfill)
_CALENDAR = TypeAdapter(Calendar)
_WORKER = TypeAdapter(Worker)
BYTES = TypeAdapter(bytes)
_NOTHING: TypeAdapter[None] = TypeAdapter(None)

I_CALENDAR = "text/calendar"


def create_job(definition: Definition) -> Call[Job]:
    return Call("POST", "/jobs", _JOB, definition)


def create_schedule(definition: Definition) -> Call[Schedule]:
    return Call("POST", "/schedules", _SCHEDULE, definition)


def create_schedules(definitions: Iterable[Definition]) -> Call[Items[Schedule]]:
    return Call("POST", "/schedules/batch", TypeAdapter(Items[Schedule]), list(definitions))


def get_schedule(schedule_id: str) -> Call[Schedule]:
    return Call("GET", f"/schedules/{_part(schedule_id)}", _SCHEDULE)


def list_schedules(filters: Mapping[str, object]) -> Call[Page[Schedule]]:
    return Call("GET", "/schedules", TypeAdapter(Page[Schedule]), query=_query(filters))


def change_schedule(schedule_id: str, patch: Definition) -> Call[Schedule]:
    return Call("PATCH", f"/schedules/{_part(schedule_id)}", _SCHEDULE, patch)


def preview(question: Definition) -> Call[Fires]:
    return Call("POST", "/schedules/preview", TypeAdapter(Fires), question)


def delete_schedule(schedule_id: str) -> Call[None]:
    return Call("DELETE", f"/schedules/{_part(schedule_id)}", _NOTHING)


def enable_schedule(schedule_id: str, order: Definition) -> Call[Schedule]:
    return Call("POST", f"/schedules/{_part(schedule_id)}/enable", _SCHEDULE, order)


def disable_schedule(schedule_id: str, order: Definition) -> Call[Schedule]:
    return Call("POST", f"/schedules/{_part(schedule_id)}/disable", _SCHEDULE, order)


def skip_fires(schedule_id: str, order: Definition) -> Call[Skipped]:
    return Call("POST", f"/schedules/{_part(schedule_id)}/skip", TypeAdapter(Skipped), order)


def trigger_schedule(schedule_id: str, order: Definition) -> Call[Run]:
    return Call("POST", f"/schedules/{_part(schedule_id)}/trigger", _RUN, order)


def list_fires(schedule_id: str, filters: Mapping[str, object]) -> Call[Fires]:
    return Call("GET", f"/schedules/{_part(schedule_id)}/fires", TypeAdapter(Fires), query=_query(filters))


def list_misses(schedule_id: str, filters: Mapping[str, object]) -> Call[Page[Miss]]:
    return Call("GET", f"/schedules/{_part(schedule_id)}/misses", TypeAdapter(Page[Miss]), query=_query(filters))


def explain(schedule_id: str, at: datetime | str) -> Call[Explanation]:
    said = at if isinstance(at, str) else at.isoformat()
    return Call("GET", f"/schedules/{_part(schedule_id)}/explain", TypeAdapter(Explanation), query={"at": said})


def get_job(job_id: str) -> Call[Job]:
    return Call("GET", f"/jobs/{_part(job_id)}", _JOB)


def list_jobs(filters: Mapping[str, object]) -> Call[Page[Job]]:
    return Call("GET", "/jobs", TypeAdapter(Page[Job]), query=_query(filters))


def change_job(job_id: str, patch: Definition) -> Call[Job]:
    return Call("PATCH", f"/jobs/{_part(job_id)}", _JOB, patch)


def delete_job(job_id: str) -> Call[None]:
    return Call("DELETE", f"/jobs/{_part(job_id)}", _NOTHING)


def get_worker(worker_id: str) -> Call[Worker]:
    return Call("GET", f"/workers/{_part(worker_id)}", _WORKER)


def list_workers(filters: Mapping[str, object]) -> Call[Page[Worker]]:
    return Call("GET", "/workers", TypeAdapter(Page[Worker]), query=_query(filters))


def drain_worker(worker_id: str) -> Call[Worker]:
    return Call("POST", f"/workers/{_part(worker_id)}/drain", _WORKER, {})


def create_calendar(definition: Definition) -> Call[Calendar]:
    return Call("POST", "/calendars", _CALENDAR, definition)


def get_calendar(calendar_id: str) -> Call[Calendar]:
    return Call("GET", f"/calendars/{_part(calendar_id)}", _CALENDAR)


def list_calendars(filters: Mapping[str, object]) -> Call[Page[Calendar]]:
    return Call("GET", "/calendars", TypeAdapter(Page[Calendar]), query=_query(filters))


def change_calendar(calendar_id: str, patch: Definition) -> Call[ChangedCalendar]:
    return Call("PATCH", f"/calendars/{_part(calendar_id)}", TypeAdapter(ChangedCalendar), patch)


def would_change_calendar(calendar_id: str, patch: Definition) -> Call[ChangedCalendar]:
    return replace(change_calendar(calendar_id, patch), query=_query({"dryRun": True}))


def delete_calendar(calendar_id: str) -> Call[None]:
    return Call("DELETE", f"/calendars/{_part(calendar_id)}", _NOTHING)


def list_days(calendar_id: str, filters: Mapping[str, object]) -> Call[Days]:
    return Call("GET", f"/calendars/{_part(calendar_id)}/days", TypeAdapter(Days), query=_query(filters))


def export_calendar(calendar_id: str, filters: Mapping[str, object]) -> Call[bytes]:
    return Call("GET", f"/calendars/{_part(calendar_id)}.ics", BYTES, query=_query(filters))


def import_days(calendar_id: str, file: bytes, filters: Mapping[str, object]) -> Call[ImportedDays]:
    path = f"/calendars/{_part(calendar_id)}/import"
    return Call("POST", path, TypeAdapter(ImportedDays), file, _query(filters), I_CALENDAR)


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


def backfill(schedule_id: str, order: Definition) -> Call[BackfillAsked]:
    return Call("POST", f"/schedules/{_part(schedule_id)}/backfill", TypeAdapter(BackfillAsked), order)


def would_backfill(schedule_id: str, order: Definition) -> Call[WouldBackfill]:
    return Call(
        "POST", f"/schedules/{_part(schedule_id)}/backfill", TypeAdapter(WouldBackfill), {**order, "dryRun": True}
    )


def get_backfill(backfill_id: str) -> Call[Backfill]:
    return Call("GET", f"/backfills/{_part(backfill_id)}", _BACKFILL)


def cancel_backfill(backfill_id: str, reason: str) -> Call[Backfill]:
    return Call("POST", f"/backfills/{_part(backfill_id)}/cancel", _BACKFILL, {"reason": reason})


def _part(name: str) -> str:
    return quote(name, safe="")


def _query(filters: Mapping[str, object]) -> dict[str, str | Sequence[str]]:
    """`{"enabled": True}` as the server reads it; a filter that is None is none, one that is a list is said often."""
    return {name: _text(value) for name, value in filters.items() if value is not None}


def _text(value: object) -> str | Sequence[str]:
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
