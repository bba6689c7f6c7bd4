"""/calendars"""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from rota.application.change_calendar import ChangeCalendar
from rota.application.create_calendar import CreateCalendar
from rota.application.delete_calendar import DeleteCalendar
from rota.application.import_days import ImportDays
from rota.application.views.calendars import calendar_view, day_view
from rota.domain.calendars.open_days import OpenDays
from rota.domain.ids import CalendarId
from rota.domain.time.zone import load_zone
from rota.entrypoints.http.answers import Answer, made, shows
from rota.entrypoints.http.body import JsonBody, MergePatch, RawBody
from rota.entrypoints.http.caller import Admin, Reader, Wired
from rota.entrypoints.http.once import Onced
from rota.entrypoints.http.openapi import answers_file, takes, takes_file, takes_patch
from rota.entrypoints.http.parameters import NO_PARAMETERS
from rota.entrypoints.http.services import HttpServices
from rota.entrypoints.http.wire.calendars import (
    CalendarIn,
    CalendarOut,
    ChangedOut,
    DaysOut,
    DaysQuery,
    DryRunQuery,
    FileQuery,
    ImportedOut,
    ImportQuery,
    changed_view,
    imported_view,
    revised_calendar,
    today_in,
)
from rota.entrypoints.http.wire.lists import CalendarQuery, PageOut, page_view
from rota.entrypoints.http.wire.patch import Document
from rota.entrypoints.http.writers import Expects

router = APIRouter(prefix="/calendars", tags=["calendars"])

FILE = "text/calendar"
MOST_FILE_KIB = 256


@router.post("", status_code=201, responses=shows(CalendarOut, 201), openapi_extra=takes(CalendarIn))
async def create_calendar(
    request: Request, caller: Admin, body: Annotated[CalendarIn, Depends(JsonBody(CalendarIn))], once: Onced
) -> Response:
    definition = await asyncio.to_thread(body.to_definition)
    return await once(
        CreateCalendar(tenant_id=caller.tenant, definition=definition),
        lambda made_one: made(request, "calendars", made_one.id, calendar_view(made_one), version=made_one.version),
    )


@router.get("", responses=shows(PageOut[CalendarOut]))
async def list_calendars(caller: Reader, query: Annotated[CalendarQuery, Query()], services: Wired) -> Response:
    paging = query.paging()
    page = await services.reads.calendars(caller.tenant, query.wanted(), paging)
    return Answer(page_view(page, paging, calendar_view))


@router.get(
    "/{calendar_id:uuid}.ics", name="export_calendar", responses=answers_file(FILE, "The closed days as all-day events")
)
async def export_calendar(
    calendar_id: UUID, caller: Reader, query: Annotated[FileQuery, Query()], services: Wired
) -> Response:
    calendar = await services.reads.open_days(caller.tenant, CalendarId(calendar_id))
    first, last = query.span(_today(calendar, services))

    def write() -> bytes:
        days = calendar.days(first, last)
        return services.calendar_files.write(CalendarId(calendar_id), calendar.name, days, services.clock.now())

    return Response(await asyncio.to_thread(write), media_type=FILE)


@router.get("/{calendar_id:uuid}", responses=shows(CalendarOut), dependencies=[NO_PARAMETERS])
async def read_calendar(calendar_id: UUID, caller: Reader, services: Wired) -> Response:
    calendar = await services.reads.calendar(caller.tenant, CalendarId(calendar_id))
    return Answer(calendar_view(calendar), version=calendar.version)


@router.patch("/{calendar_id:uuid}", responses=shows(ChangedOut), openapi_extra=takes_patch(CalendarIn))
async def change_calendar(
    calendar_id: UUID,
    caller: Admin,
    expected: Expects,
    patch: Annotated[Document, Depends(MergePatch("dryRun"))],
    query: Annotated[DryRunQuery, Query()],
    services: Wired,
) -> Response:
    changed = await services.bus.handle(
        ChangeCalendar(
            tenant_id=caller.tenant,
            calendar_id=CalendarId(calendar_id),
            revise=lambda standing: revised_calendar(standing, patch),
            is_dry_run=query.dry_run,
            expected=expected,
        )
    )
    return Answer(changed_view(changed), version=None if query.dry_run else changed.after.version)


@router.delete("/{calendar_id:uuid}", status_code=204, dependencies=[NO_PARAMETERS])
async def delete_calendar(calendar_id: UUID, caller: Admin, expected: Expects, services: Wired) -> Response:
    await services.bus.handle(
        DeleteCalendar(tenant_id=caller.tenant, calendar_id=CalendarId(calendar_id), expected=expected)
    )
    return Response(status_code=204)


@router.get("/{calendar_id:uuid}/days", responses=shows(DaysOut))
async def list_days(
    calendar_id: UUID, caller: Reader, query: Annotated[DaysQuery, Query()], services: Wired
) -> Response:
    calendar = await services.reads.open_days(caller.tenant, CalendarId(calendar_id))
    first, last = query.span(_today(calendar, services))
    days = await asyncio.to_thread(lambda: [day_view(day) for day in calendar.days(first, last)])
    return Answer({"days": days})


@router.post("/{calendar_id:uuid}/import", responses=shows(ImportedOut), openapi_extra=takes_file(FILE))
async def import_days(
    calendar_id: UUID,
    caller: Admin,
    file: Annotated[bytes, Depends(RawBody("dryRun", "from", "to", most_kib=MOST_FILE_KIB))],
    query: Annotated[ImportQuery, Query()],
    services: Wired,
    once: Onced,
) -> Response:
    """What the file says of closed days is added to what the calendar has; importing it twice changes nothing."""
    own_id = CalendarId(calendar_id)

    async def read_and_take() -> Response:
        calendar = await services.reads.open_days(caller.tenant, own_id)
        first, last = query.span(_today(calendar, services))
        days = await asyncio.to_thread(services.calendar_files.read, file, first, last)
        return await once.handled(
            ImportDays(tenant_id=caller.tenant, calendar_id=own_id, days=days, is_dry_run=query.dry_run),
            lambda imported: Answer(imported_view(imported, days.left_out)),
        )

    return await once.whole(read_and_take)


def _today(calendar: OpenDays, services: HttpServices) -> date:
    return today_in(calendar.zone or load_zone(services.default_tz), services.clock.now())
