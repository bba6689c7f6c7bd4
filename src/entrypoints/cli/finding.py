"""By id or by name: what a command means when it says SCHEDULE, JOB, CALENDAR or WORKER."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar
from uuid import UUID

from rota.entrypoints.cli.fail import fail
from rota.entrypoints.sdk.client import RotaSync
from rota.entrypoints.sdk.models import Calendar, Job, Page, Schedule, Worker

WHOLE_PAGE = 200


class Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T")
Thing = TypeVar("Thing", bound=Named)


def every(list_: Callable[..., Page[T]], **filters: object) -> Iterator[T]:
    """All pages of a list."""
    cursor: str | None = None
    while True:
        page = list_(**filters, limit=WHOLE_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
        filters.pop("after", None)  # from a cursor on, it is no longer said where the list began


def find_schedule(api: RotaSync, said: str) -> Schedule:
    return api.get_schedule(said) if is_id(said) else _named("schedule", said, every(api.list_schedules, name=said))


def find_job(api: RotaSync, said: str) -> Job:
    return api.get_job(said) if is_id(said) else _named("job", said, every(api.list_jobs, name=said))


def find_calendar(api: RotaSync, said: str) -> Calendar:
    return api.get_calendar(said) if is_id(said) else _named("calendar", said, every(api.list_calendars, name=said))


def find_worker(api: RotaSync, said: str) -> Worker:
    return api.get_worker(said) if is_id(said) else _named("worker", said, every(api.list_workers))


def schedule_id(api: RotaSync, said: str) -> str:
    """Asks only where a name was said."""
    return said if is_id(said) else find_schedule(api, said).id


def job_id(api: RotaSync, said: str) -> str:
    return said if is_id(said) else find_job(api, said).id


def calendar_id(api: RotaSync, said: str) -> str:
    return said if is_id(said) else find_calendar(api, said).id


def worker_id(api: RotaSync, said: str) -> str:
    return said if is_id(said) else find_worker(api, said).id


def is_id(said: str) -> bool:
    try:
        UUID(said)
    except ValueError:
        return False
    return True


def _named(kind: str, name: str, things: Iterator[Thing]) -> Thing:
    """Lists go by prefixes; names of workers need not be unique. Ends the command unless there is one."""
    found = [each for each in things if each.name == name]
    if not found:
        fail(f"no {kind} is named {name}")
    if len(found) > 1:
        fail(f"{len(found)} {kind}s are named {name}; say which: {', '.join(each.id for each in found)}")
    return found[0]
