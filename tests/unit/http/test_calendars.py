"""/calendars"""

from __future__ import annotations

from datetime import date

import httpx
import pytest
from icalendar import Calendar as File
from pydantic import TypeAdapter
from tests.unit.http.conftest import Json, Served, a_schedule, errors

from rota.application.json import load
from rota.entrypoints.http.wire.calendars import ChangedOut

FULL: Json = {
    "description": "works council, 2026",
    "labels": {"team": "bi"},
    "tz": "Europe/Berlin",
    "workingDays": ["MO", "TU", "SA"],
    "holidays": [
        {"kind": "DATE", "month": 12, "day": 24, "name": "Christmas Eve"},
        {"kind": "WEEKDAY", "month": 11, "weekday": "TH", "nth": 4, "name": "Thanksgiving"},
        {"kind": "EASTER", "offsetDays": -2, "orthodox": False, "name": "Good Friday"},
        {"kind": "COUNTRY", "country": "DE", "subdivision": "BY"},
        {"kind": "COUNTRY", "country": "FR", "subdivision": None},
    ],
    "closures": [{"from": "2026-12-27", "to": "2026-12-31", "reason": "Between the years"}],
    "extraOpenDays": [{"date": "2026-12-05", "reason": "Stocktaking"}],
    "openingHours": [
        {"weekdays": ["MO", "TU"], "from": "09:00", "to": "17:30"},
        {"weekdays": ["SA"], "from": "00:00:30", "to": "24:00"},
    ],
}


async def make(client: httpx.AsyncClient, name: str = "DE-BY", **said: Json) -> Json:
    made = await client.post("/calendars", json={"name": name} | said)
    assert made.status_code == 201, made.text
    return made.json()


def place(calendar: Json) -> str:
    return f"/calendars/{calendar['id']}"


class TestKeeping:
    async def test_a_calendar_is_open_from_monday_to_friday(self, acme: httpx.AsyncClient) -> None:
        made = await acme.post("/calendars", json={"name": "DE-BY"})

        calendar = made.json()
        assert made.status_code == 201
        assert (made.headers["location"], made.headers["etag"]) == (f"/api/v1{place(calendar)}", '"1"')
        assert calendar == {
            "id": calendar["id"],
            "tenantId": "acme",
            "name": "DE-BY",
            "description": "",
            "labels": {},
            "tz": None,
            "workingDays": ["MO", "TU", "WE", "TH", "FR"],
            "holidays": [],
            "closures": [],
            "extraOpenDays": [],
            "openingHours": [],
            "includes": [],
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z",
            "version": 1,
        }
        read = await acme.get(place(calendar))
        assert (read.json(), read.headers["etag"]) == (calendar, '"1"')

    async def test_all_that_is_said_is_kept_and_shown(self, served: Served, acme: httpx.AsyncClient) -> None:
        included = await make(acme, "included")
        said = FULL | {"includes": [included["id"]]}

        made = await make(acme, **said)

        assert {name: made[name] for name in said} == said
        assert (await acme.get(place(made))).json() == made
        (told,) = [each for each in served.store.tables.events if str(each.subject) == made["id"]]
        assert (told.type, load(told.data)) == ("calendar.created", made)

    async def test_what_is_left_out_has_a_default(self, acme: httpx.AsyncClient) -> None:
        made = await make(
            acme,
            holidays=[
                {"kind": "EASTER", "offsetDays": 1, "name": "Easter Monday"},
                {"kind": "COUNTRY", "country": "DE"},
            ],
            closures=[{"from": "2026-12-27"}],
            extraOpenDays=[{"date": "2026-12-05"}],
            openingHours=[{"weekdays": ["MO", "MO"], "from": "09:00:00", "to": "00:00"}],
        )

        assert [each.get("orthodox", each.get("subdivision")) for each in made["holidays"]] == [False, None]
        assert made["closures"] == [{"from": "2026-12-27", "to": "2026-12-27", "reason": "closed"}]
        assert made["extraOpenDays"] == [{"date": "2026-12-05", "reason": "extra open day"}]
        assert made["openingHours"] == [{"weekdays": ["MO"], "from": "09:00", "to": "24:00"}]

    async def test_they_are_listed_newest_first_by_prefix_and_by_page(
        self, acme: httpx.AsyncClient, globex: httpx.AsyncClient
    ) -> None:
        for name in ("DE", "DE-BY", "US"):
            await make(acme, name)
        await make(globex, "DE")

        async def found(**query: str) -> list[str]:
            return [item["name"] for item in (await acme.get("/calendars", params=query)).json()["items"]]

        assert await found() == ["US", "DE-BY", "DE"]
        assert await found(name="DE") == ["DE-BY", "DE"]
        page = (await acme.get("/calendars?page=2&pageSize=2")).json()
        assert ([each["name"] for each in page["items"]], page["total"]) == (["DE"], 3)

    async def test_another_tenants_and_an_unknown_one_look_alike(
        self, acme: httpx.AsyncClient, globex: httpx.AsyncClient
    ) -> None:
        at = place(await make(acme))

        for answer in [
            await globex.get(at),
            await globex.patch(at, json={}),
            await globex.delete(at),
            await globex.get(f"{at}/days"),
            await globex.get(f"{at}.ics"),
            await globex.post(f"{at}/import", content=b""),
        ]:
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:rota:error:not-found")


class TestRefusing:
    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"name": ""}, "name"),
            ({"description": "x" * 2001}, "description"),
            ({"tz": "Mars/Olympus"}, "tz"),
            ({"workingDays": ["MO", "XX"]}, "workingDays.1"),
            ({"workingDays": []}, "workingDays"),
            ({"holidays": [{"month": 1, "day": 1, "name": "x"}]}, "holidays.0.kind"),
            ({"holidays": [{"kind": "MOON", "name": "x"}]}, "holidays.0.kind"),
            ({"holidays": [{"kind": "DATE", "month": 2, "day": 30, "name": "x"}]}, "holidays.0.day"),
            ({"holidays": [{"kind": "DATE", "month": "2", "day": 3, "name": "x"}]}, "holidays.0.month"),
            ({"holidays": [{"kind": "DATE", "month": 13, "day": 1, "name": "x"}]}, "holidays.0.month"),
            ({"holidays": [{"kind": "DATE", "month": 1, "day": 1}]}, "holidays.0.name"),
            (
                {"holidays": [{"kind": "WEEKDAY", "month": 1, "weekday": "MO", "nth": 0, "name": "x"}]},
                "holidays.0.nth",
            ),
            (
                {"holidays": [{"kind": "WEEKDAY", "month": 1, "weekday": "Monday", "nth": 1, "name": "x"}]},
                "holidays.0.weekday",
            ),
            ({"holidays": [{"kind": "EASTER", "offsetDays": 300, "name": "x"}]}, "holidays.0.offsetDays"),
            ({"holidays": [{"kind": "EASTER", "offset": 3, "offsetDays": 3, "name": "x"}]}, "holidays.0.offset"),
            (
                {"holidays": [{"kind": "COUNTRY", "country": "DE"}, {"kind": "COUNTRY", "country": "XX"}]},
                "holidays.1.country",
            ),
            ({"holidays": [{"kind": "COUNTRY", "country": "DE", "subdivision": "ZZ"}]}, "holidays.0.subdivision"),
            ({"holidays": [{"kind": "DATE", "month": 1, "day": 1, "name": "x"}] * 1001}, "holidays"),
            ({"labels": {"team": "x" * 64}}, "labels.team"),
            ({"closures": [{"from": "2026-02-30"}]}, "closures.0.from"),
            ({"closures": [{"from": "20260201"}]}, "closures.0.from"),
            ({"closures": [{"from": "2026-W01-1"}]}, "closures.0.from"),
            ({"closures": [{"from": "1969-12-31"}]}, "closures.0.from"),
            ({"closures": [{"from": "2026-02-02", "to": "2026-02-01"}]}, "closures.0.to"),
            ({"closures": [{"from": "2026-02-02", "reason": ""}]}, "closures.0.reason"),
            ({"closures": [{"to": "2026-02-02"}]}, "closures.0.from"),
            ({"extraOpenDays": [{"date": 17}]}, "extraOpenDays.0.date"),
            ({"openingHours": [{"weekdays": [], "from": "09:00", "to": "17:00"}]}, "openingHours.0.weekdays"),
            ({"openingHours": [{"weekdays": ["MO"], "from": "24:00", "to": "17:00"}]}, "openingHours.0.from"),
            ({"openingHours": [{"weekdays": ["MO"], "from": "9:00", "to": "17:00"}]}, "openingHours.0.from"),
            ({"openingHours": [{"weekdays": ["MO"], "from": "22:00", "to": "06:00"}]}, "openingHours.0.to"),
            ({"includes": ["x"]}, "includes.0"),
            ({"includes": ["01890a5d-ac96-774b-bcce-b302099a8057"]}, "includes"),
            ({"bogus": 1}, "bogus"),
        ],
    )
    async def test_a_bad_field_is_named(self, served: Served, acme: httpx.AsyncClient, wrong: Json, field: str) -> None:
        answer = await acme.post("/calendars", json={"name": "DE-BY"} | wrong)

        assert (answer.status_code, list(errors(answer))) == (422, [field])
        assert not served.store.tables.calendars

    async def test_all_faults_of_a_list_are_named(self, acme: httpx.AsyncClient) -> None:
        backwards = {"from": "2026-02-02", "to": "2026-02-01"}

        answer = await acme.post(
            "/calendars", json={"name": "x", "closures": [backwards, {"from": "2026-01-01"}, backwards]}
        )

        assert list(errors(answer)) == ["closures.0.to", "closures.2.to"]

    async def test_a_name_is_taken(self, acme: httpx.AsyncClient) -> None:
        await make(acme)

        answer = await acme.post("/calendars", json={"name": "DE-BY"})

        assert (answer.status_code, answer.json()["type"]) == (409, "urn:rota:error:name-taken")

    async def test_another_tenants_calendar_cannot_be_included(
        self, acme: httpx.AsyncClient, globex: httpx.AsyncClient
    ) -> None:
        theirs = await make(globex)

        answer = await acme.post("/calendars", json={"name": "x", "includes": [theirs["id"]]})

        assert errors(answer) == {"includes": f"there is no calendar {theirs['id']}"}


class TestChanging:
    async def test_a_patch_replaces_lists_and_null_is_a_default(self, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme, **FULL)

        changed = await acme.patch(place(calendar), json={"name": "Bavaria", "closures": [], "workingDays": None})

        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
        kept = {name: calendar[name] for name in ("holidays", "extraOpenDays", "openingHours", "tz", "description")}
        body = changed.json()
        assert {name: body[name] for name in kept} == kept
        assert (body["name"], body["closures"]) == ("Bavaria", [])
        assert body["workingDays"] == ["MO", "TU", "WE", "TH", "FR"]
        assert body == (await acme.get(place(calendar))).json() | {"affected": []}

    async def test_a_dry_run_shows_it_and_changes_nothing(self, served: Served, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme)

        shown = await acme.patch(f"{place(calendar)}?dryRun=true", json={"name": "Bavaria"})

        assert (shown.status_code, shown.json()["name"], shown.json()["version"]) == (200, "Bavaria", 2)
        assert "etag" not in shown.headers
        assert (await acme.get(place(calendar))).json() == calendar
        assert len(served.store.tables.events) == 1

    @pytest.mark.parametrize("query", ["dryRun=yes", "dryRun=true&dryRun=true", "dry_run=true", "x=1"])
    async def test_a_parameter_that_is_none_is_refused(self, acme: httpx.AsyncClient, query: str) -> None:
        calendar = await make(acme)

        answer = await acme.patch(f"{place(calendar)}?{query}", json={"name": "Bavaria"})

        assert (answer.status_code, list(errors(answer))) == (422, [query.partition("=")[0]])

    async def test_a_bad_patch_is_refused_by_field(self, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme)

        answer = await acme.patch(place(calendar), json={"closures": [{"from": "2026-02-30"}], "bogus": 1})

        assert (answer.status_code, set(errors(answer))) == (422, {"closures.0.from", "bogus"})

    async def test_calendars_cannot_include_each_other_in_a_circle(self, acme: httpx.AsyncClient) -> None:
        bottom = await make(acme, "bottom")
        middle = await make(acme, "middle", includes=[bottom["id"]])
        top = await make(acme, "top", includes=[middle["id"]])

        itself = await acme.patch(place(top), json={"includes": [top["id"]]})
        circle = await acme.patch(place(bottom), json={"includes": [top["id"]]})

        assert errors(itself) == {"includes": "a calendar cannot include itself"}
        assert errors(circle) == {"includes": "a calendar cannot include itself: bottom > top > middle > bottom"}

    async def test_one_that_another_includes_stays(self, acme: httpx.AsyncClient) -> None:
        included = await make(acme, "included")
        calendar = await make(acme, includes=[included["id"]])

        in_use = await acme.delete(place(included))
        freed = await acme.delete(place(calendar))
        free = await acme.delete(place(included))

        assert (in_use.status_code, in_use.json()["type"]) == (409, "urn:rota:error:calendar-in-use")
        assert (freed.status_code, free.status_code) == (204, 204)
        assert (await acme.get(place(included))).status_code == 404

    async def test_it_tells_which_next_fires_move(self, acme: httpx.AsyncClient, job: Json) -> None:
        calendar = await make(acme)
        rule = {"calendarId": calendar["id"], "onClosed": "SKIP"}
        schedule = (await acme.post("/schedules", json=a_schedule(calendar=rule))).json()
        closed = {"closures": [{"from": "2026-01-01", "to": "2026-01-02"}]}
        moved = {
            "scheduleId": schedule["id"],
            "name": "daily",
            "from": "2026-01-01T09:00:00Z",
            "to": "2026-01-05T09:00:00Z",
        }

        shown = await acme.patch(f"{place(calendar)}?dryRun=true", json=closed)
        before = await acme.get(f"/schedules/{schedule['id']}")
        changed = await acme.patch(place(calendar), json=closed)
        after = await acme.get(f"/schedules/{schedule['id']}")

        assert shown.json()["affected"] == changed.json()["affected"] == [moved]
        assert (before.json()["nextFireAt"], after.json()["nextFireAt"]) == (moved["from"], moved["to"])
        TypeAdapter(ChangedOut).validate_json(changed.content, extra="forbid")

    async def test_one_that_a_schedule_goes_by_stays(self, acme: httpx.AsyncClient, job: Json) -> None:
        calendar = await make(acme)
        await acme.post("/schedules", json=a_schedule(calendar={"calendarId": calendar["id"]}))

        in_use = await acme.delete(place(calendar))

        assert (in_use.status_code, in_use.json()["type"]) == (409, "urn:rota:error:calendar-in-use")


class TestDays:
    async def test_each_day_is_open_or_tells_why_not(self, acme: httpx.AsyncClient) -> None:
        bavaria = await make(acme, holidays=[{"kind": "COUNTRY", "country": "DE", "subdivision": "BY"}])
        own = await make(
            acme,
            "works",
            includes=[bavaria["id"]],
            closures=[{"from": "2026-05-25", "to": "2026-05-27", "reason": "Works outing"}],
            extraOpenDays=[{"date": "2026-05-27"}],
        )

        answer = await acme.get(f"{place(own)}/days?from=2026-05-22&to=2026-05-28")
        fourth = await acme.get(f"{place(own)}/days?from=2026-06-04&to=2026-06-04")

        assert answer.json() == {
            "days": [
                {"date": "2026-05-22", "open": True, "reason": None},
                {"date": "2026-05-23", "open": False, "reason": "Saturday is no working day"},
                {"date": "2026-05-24", "open": False, "reason": "Sunday is no working day"},
                {"date": "2026-05-25", "open": False, "reason": "Works outing"},
                {"date": "2026-05-26", "open": False, "reason": "Works outing"},
                {"date": "2026-05-27", "open": True, "reason": "extra open day"},
                {"date": "2026-05-28", "open": True, "reason": None},
            ]
        }
        assert fourth.json()["days"] == [{"date": "2026-06-04", "open": False, "reason": "DE-BY: Corpus Christi"}]

    @pytest.mark.parametrize(("tz", "first"), [("Pacific/Honolulu", "2025-12-31"), (None, "2026-01-01")])
    async def test_without_dates_it_is_31_days_from_the_calendars_today(
        self, acme: httpx.AsyncClient, tz: str | None, first: str
    ) -> None:
        calendar = await make(acme, tz=tz)

        days = (await acme.get(f"{place(calendar)}/days")).json()["days"]

        assert (days[0]["date"], len(days)) == (first, 31)

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("from=2026-02-02&to=2026-02-01", "to"),
            ("from=2026-01-01&to=2036-02-18", "to"),
            ("to=2025-12-31", "to"),
            ("from=2026-02-30", "from"),
            ("from=tomorrow", "from"),
            ("until=2026-02-03", "until"),
        ],
    )
    async def test_a_span_that_is_none_is_refused(self, acme: httpx.AsyncClient, query: str, field: str) -> None:
        calendar = await make(acme)

        answer = await acme.get(f"{place(calendar)}/days?{query}")

        assert (answer.status_code, list(errors(answer))) == (422, [field])

    async def test_ten_years_at_once_are_allowed_also_at_the_ends_of_time(self, acme: httpx.AsyncClient) -> None:
        at = place(await make(acme, holidays=FULL["holidays"]))

        for first, last in (("1970-01-01", "1980-02-17"), ("9987-11-15", "9997-12-31")):
            answer = await acme.get(f"{at}/days?from={first}&to={last}")
            assert len(answer.json()["days"]) == 3700


class TestFiles:
    async def test_closed_days_are_written_as_all_day_events(self, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme, closures=[{"from": "2026-12-24", "to": "2026-12-25", "reason": "Christmas"}])

        answer = await acme.get(f"{place(calendar)}.ics?from=2026-12-21&to=2026-12-27")

        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
        events = File.from_ical(answer.content).events
        assert [(str(event["summary"]), event.start, event.end) for event in events] == [
            ("Christmas", date(2026, 12, 24), date(2026, 12, 26)),
            ("Saturday is no working day", date(2026, 12, 26), date(2026, 12, 27)),
            ("Sunday is no working day", date(2026, 12, 27), date(2026, 12, 28)),
        ]

    async def test_without_dates_a_file_is_of_this_year_and_the_next(self, acme: httpx.AsyncClient) -> None:
        at = place(await make(acme))

        whole = await acme.get(f"{at}.ics")

        starts = [event.start for event in File.from_ical(whole.content).events]
        assert (min(starts), max(starts)) == (date(2026, 1, 3), date(2027, 12, 26))
        assert list(errors(await acme.get(f"{at}.ics?from=2026-02-02&to=2026-02-01"))) == ["to"]

    async def test_what_a_file_says_of_closed_days_is_added(self, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme, closures=[{"from": "2026-01-02", "reason": "Bridge"}])
        file = a_file(
            an_event("DTSTART;VALUE=DATE:20260506", summary="Outing"),
            an_event("DTSTART:20260506T090000Z", summary="Meeting"),
            an_event("DTSTART;VALUE=DATE:20251224", "RRULE:FREQ=YEARLY", summary="Christmas Eve"),
            an_event("DTSTART;VALUE=DATE:20260102", summary="Bridge"),
        )

        answer = await acme.post(f"{place(calendar)}/import", content=file, headers={"Content-Type": "text/calendar"})

        assert answer.status_code == 200, answer.text
        body = answer.json()
        outing = {"from": "2026-05-06", "to": "2026-05-06", "reason": "Outing"}
        eve = {"kind": "DATE", "month": 12, "day": 24, "name": "Christmas Eve"}
        assert body["taken"] == {"holidays": [eve], "closures": [outing]}
        assert body["leftOut"] == [{"field": "events.1", "message": "'Meeting': is not an all-day event"}]
        assert body["calendar"] == (await acme.get(place(calendar))).json()
        assert body["calendar"]["version"] == 2
        assert body["calendar"]["closures"] == [*calendar["closures"], outing]

    async def test_a_file_that_is_imported_again_changes_nothing(self, served: Served, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme)
        file = a_file(an_event("DTSTART;VALUE=DATE:20260506"))
        first = await acme.post(f"{place(calendar)}/import", content=file)

        again = await acme.post(f"{place(calendar)}/import", content=file)

        assert again.json()["taken"] == {"holidays": [], "closures": []}
        assert again.json()["calendar"] == first.json()["calendar"]
        assert len(served.store.tables.events) == 2

    async def test_a_dry_run_shows_what_would_be_taken(self, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme)

        shown = await acme.post(
            f"{place(calendar)}/import?dryRun=true", content=a_file(an_event("DTSTART;VALUE=DATE:20260506"))
        )

        assert [each["from"] for each in shown.json()["taken"]["closures"]] == ["2026-05-06"]
        assert (await acme.get(place(calendar))).json() == calendar

    async def test_only_days_in_the_span_are_looked_at(self, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme)
        file = a_file(an_event("DTSTART;VALUE=DATE:20260506"), an_event("DTSTART;VALUE=DATE:20310101"))

        usual = await acme.post(f"{place(calendar)}/import?dryRun=true", content=file)
        later = await acme.post(f"{place(calendar)}/import?dryRun=true&from=2031-01-01", content=file)

        assert [each["from"] for each in usual.json()["taken"]["closures"]] == ["2026-05-06"]
        assert [each["from"] for each in later.json()["taken"]["closures"]] == ["2031-01-01"]

    async def test_a_file_that_cannot_be_read_is_refused(self, acme: httpx.AsyncClient) -> None:
        at = f"{place(await make(acme))}/import"

        nothing = await acme.post(at, content=b"")
        backwards = await acme.post(at, content=a_file(an_event("DTSTART;VALUE=DATE:20260506", "RRULE:FREQ=SOON")))
        large = await acme.post(at, content=b" " * (256 * 1024 + 1))

        assert (nothing.status_code, list(errors(nothing))) == (422, ["ical"])
        assert (backwards.status_code, list(errors(backwards))) == (422, ["events.0"])
        assert large.status_code == 413

    async def test_more_closures_than_a_calendar_holds_are_refused(self, acme: httpx.AsyncClient) -> None:
        calendar = await make(acme, closures=[{"from": "2026-01-02", "reason": f"{n}"} for n in range(1000)])

        answer = await acme.post(f"{place(calendar)}/import", content=a_file(an_event("DTSTART;VALUE=DATE:20260506")))

        assert (answer.status_code, list(errors(answer))) == (422, ["closures"])


def a_file(*events: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", *events, "END:VCALENDAR", ""]).encode()


def an_event(*lines: str, summary: str = "Party") -> str:
    return "\r\n".join(["BEGIN:VEVENT", "UID:1", f"SUMMARY:{summary}", *lines, "END:VEVENT"])
