"""What the contract says of every call: who may, what is answered, how large, how lists and batches look."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from tests.contract_http.conftest import Caller, Json, a_schedule, expect, faults

RANDOM = "01890a5d-ac96-774b-bcce-b302099a8057"
NEEDED = [("read", "GET", "/jobs"), ("operate", "POST", "/runs"), ("admin", "POST", "/jobs")]
LISTS = [
    "/schedules", "/jobs", "/runs", "/workers", "/calendars", "/runs/dead", "/reports/rejected",
    "/schedules/{id}/misses", "/schedules/{id}/events",
]  # fmt: skip
TARGETS: dict[str, Json] = {
    "JOB": {"kind": "JOB", "job": "reports.daily", "payload": {"kind": "full"}},
    "EVENT": {"kind": "EVENT", "eventTopic": "reports.due", "payload": {"kind": "full"}},
    "HTTP": {
        "kind": "HTTP",
        "http": {"url": "https://example.com/hook", "method": "POST"},
        "payload": {"kind": "full"},
    },
    "QUEUE": {"kind": "QUEUE", "queue": {"topic": "reports"}, "payload": {"kind": "full"}},
}


class TestWho:
    """Authorization, scopes, the tenant's header."""

    def test_without_a_token_it_is_401(self, a_caller: Callable[..., Caller]) -> None:
        answer = a_caller(None).get("/schedules")

        assert expect(answer, 401)["type"] == "urn:rota:error:unauthenticated"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert expect(a_caller("nonsense").get("/schedules"), 401)

    def test_the_scopes_are_read_operate_and_admin_which_includes_the_others(
        self, a_token: Callable[..., str], a_caller: Callable[..., Caller], tenant: str
    ) -> None:
        for has in ("read", "operate", "admin"):
            caller = a_caller(a_token(tenant, f"scheduler:{has}"))
            for needs, method, path in NEEDED:
                is_refused = caller.request(method, path, content=b"?").status_code == 403
                assert is_refused == (has not in (needs, "admin")), (has, method, path)

    def test_a_token_for_all_tenants_names_one_by_header(
        self, a_caller: Callable[..., Caller], everybodys_token: str, tenant: str
    ) -> None:
        caller = a_caller(everybodys_token)

        assert set(faults(caller.gets("/schedules", 400))) == {"X-Tenant-Id"}
        assert expect(caller.get("/schedules", headers={"X-Tenant-Id": tenant}), 200)

    def test_another_tenant_in_header_body_or_query_is_403(
        self, a_token: Callable[..., str], a_caller: Callable[..., Caller], tenant: str
    ) -> None:
        caller = a_caller(a_token(tenant))

        assert expect(caller.get("/jobs", headers={"X-Tenant-Id": "other"}), 403)
        assert caller.gets("/jobs", 403, tenantId="other")
        assert caller.posts("/jobs", {"name": "a", "tenantId": "other"}, 403)
        assert caller.gets("/jobs", tenantId=tenant)["items"] == []

    def test_the_token_of_rota_up_is_for_the_tenant_default_with_all_scopes(
        self, up: Json, a_caller: Callable[..., Caller]
    ) -> None:
        made = a_caller(up.ready["token"]).posts("/calendars", {"name": "of default"})

        assert made["tenantId"] == "default"


class TestAnswers:
    """Statuses and problem documents."""

    def test_location_of_all_that_is_made_resolves_under_both_prefixes(
        self, api: Caller, root: Caller, job: Json
    ) -> None:
        schedule = api.posts("/schedules", a_schedule())
        asked: list[tuple[str, Json]] = [
            ("/schedules", a_schedule("second")),
            (f"/schedules/{schedule['id']}/trigger", {}),
            ("/jobs", {"name": "second"}),
            ("/calendars", {"name": "DE"}),
            ("/runs", {"job": "reports.daily"}),
            ("/workers/register", {"jobs": [], "slots": 1}),
        ]

        for path, body in asked:
            answer = api.post(path, json=body)
            assert answer.status_code == 201
            place = answer.headers["location"]
            assert place.startswith("/api/v1/")
            below, above = api.get(str(api.base_url.copy_with(path=place))), root.get(place.removeprefix("/api/v1"))
            assert (below.status_code, below.json()) == (above.status_code, above.json())
            assert below.status_code == 200
        made = root.post("/jobs", json={"name": "third"})
        assert expect(root.get(made.headers["location"]), 200) == made.json()
        assert made.headers["location"].startswith("/jobs/")

    def test_etag_of_schedules_jobs_and_calendars_is_their_version(self, api: Caller, job: Json) -> None:
        for path, body in (("/schedules", a_schedule()), ("/jobs", {"name": "b"}), ("/calendars", {"name": "c"})):
            made = api.post(path, json=body)
            changed = api.patch(made.headers["location"].removeprefix("/api/v1"), json={"labels": {"a": "1"}})
            assert (made.headers["etag"], changed.headers["etag"]) == ('"1"', '"2"')

    def test_what_is_unreadable_is_400(self, api: Caller) -> None:
        assert expect(api.post("/jobs", content=b"{"), 400)["type"] == "urn:rota:error:unreadable"

    def test_what_is_unknown_and_what_is_anothers_are_404_with_the_same_bytes(
        self, api: Caller, a_caller: Callable[..., Caller], everybodys_token: str, job: Json
    ) -> None:
        theirs = a_caller(everybodys_token, **{"X-Tenant-Id": "somebody-else"})
        places = [f"/jobs/{job['id']}", f"/schedules/{api.posts('/schedules', a_schedule())['id']}"]

        for place in places:
            strangers = theirs.get(place)
            own = strangers.content.replace(place.rpartition("/")[2].encode(), RANDOM.encode())
            assert theirs.get(place.rpartition("/")[0] + f"/{RANDOM}").content == own
            assert strangers.json()["type"] == "urn:rota:error:not-found"

    def test_a_problem_says_what_the_contract_names(self, api: Caller) -> None:
        problem = api.posts("/schedules", a_schedule(trigger={"type": "CRON", "cron": "x"}), 422)

        assert problem.keys() == {"type", "title", "status", "detail", "instance", "errors"}
        assert (problem["type"], problem["status"]) == ("urn:rota:error:invalid", 422)
        assert problem["instance"] == "/api/v1/schedules"
        assert [fault.keys() for fault in problem["errors"]] == [{"field", "message"}]
        assert set(faults(problem)) == {"trigger.cron"}

    def test_unknown_fields_and_parameters_are_named(self, api: Caller) -> None:
        assert faults(api.posts("/jobs", {"name": "a", "nom": "b"}, 422)) == {"nom": "unknown"}
        assert faults(api.gets("/jobs", 422, sort="name")) == {"sort": "unknown"}
        assert faults(api.gets(f"/jobs/{RANDOM}", 422, sort="name")) == {"sort": "unknown"}

    def test_a_name_that_is_taken_is_409(self, api: Caller, job: Json) -> None:
        assert api.posts("/jobs", {"name": "reports.daily"}, 409)["type"] == "urn:rota:error:name-taken"

    def test_a_method_that_a_path_does_not_take_is_405_and_says_what_it_takes(self, api: Caller) -> None:
        answer = api.put("/schedules")

        assert expect(answer, 405)["type"] == "urn:rota:error:method-not-allowed"
        assert answer.headers["allow"] == "GET, POST"


class TestSizes:
    def test_a_body_of_more_than_8_mib_is_413_without_errors(self, api: Caller) -> None:
        def body() -> Iterator[bytes]:
            for _ in range(9):
                yield b" " * 1024 * 1024

        problem = expect(api.post("/jobs", content=body()), 413)

        assert (problem["type"], "errors" in problem) == ("urn:rota:error:too-large", False)

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"payload": "x" * 256 * 1024}, "payload"),
            ({"payload": eval("[" * 65 + "]" * 65)}, "payload"),
            ({"labels": {"team": "x" * 64}}, "labels.team"),
        ],
        ids=["256 KiB", "nesting 64", "label 63"],
    )
    def test_too_much_in_a_field_names_it(self, api: Caller, job: Json, more: Json, field: str) -> None:
        assert set(faults(api.posts("/runs", {"job": "reports.daily"} | more, 422))) == {field}

    def test_a_batch_has_at_most_a_thousand_items(self, api: Caller, job: Json) -> None:
        item = {"job": "reports.daily"}

        assert len(api.posts("/runs/batch", [item] * 1_000)["items"]) == 1_000
        assert set(faults(api.posts("/runs/batch", [item] * 1_001, 422))) == {"1000"}


class TestLists:
    @pytest.mark.parametrize("path", LISTS)
    def test_every_list_takes_both_forms(self, api: Caller, job: Json, path: str) -> None:
        path = path.format(id=api.posts("/schedules", a_schedule())["id"])

        by_cursor, by_page = api.gets(path, limit=1), api.gets(path, page=1, pageSize=1)

        assert by_cursor.keys() == {"items", "nextCursor"}
        assert by_page.keys() == {"items", "nextCursor", "page", "pageSize", "total"}
        assert by_page["items"] == by_cursor["items"]
        for name, value in (("limit", 0), ("limit", 201), ("page", 0), ("pageSize", 201), ("cursor", "x")):
            assert set(faults(api.gets(path, 422, **{name: value}))) == {name}

    def test_a_cursor_leads_to_what_follows(self, api: Caller) -> None:
        for name in "abc":
            api.posts("/jobs", {"name": name})

        first = api.gets("/jobs", limit=2)
        second = api.gets("/jobs", limit=2, cursor=first["nextCursor"])

        assert [[one["name"] for one in page["items"]] for page in (first, second)] == [["c", "b"], ["a"]]
        assert second["nextCursor"] is None


class TestWriters:
    """PATCH (RFC 7396)."""

    def test_what_is_left_out_stays_and_null_is_the_default(self, api: Caller, job: Json) -> None:
        asked = a_schedule(labels={"a": "1", "b": "2"}, misfire={"policy": "SKIP", "graceSec": 5}, jitterSec=3)
        place = f"/schedules/{api.posts('/schedules', asked)['id']}"

        changed = api.patches(place, {"labels": {"a": None}, "misfire": {"graceSec": None}, "jitterSec": None})

        assert (changed["labels"], changed["jitterSec"]) == ({"b": "2"}, 0)
        assert (changed["misfire"]["policy"], changed["misfire"]["graceSec"]) == ("SKIP", 30)

    def test_trigger_and_target_are_replaced_whole(self, api: Caller, job: Json) -> None:
        cron = {"type": "CRON", "cron": "0 9 * * *", "dst": {"gap": "SKIP"}}
        place = f"/schedules/{api.posts('/schedules', a_schedule(trigger=cron, target=TARGETS['JOB']))['id']}"

        changed = api.patches(place, {"trigger": {"type": "CRON", "cron": "0 8 * * *"}, "target": TARGETS["EVENT"]})

        assert changed["trigger"] == {"type": "CRON", "cron": "0 8 * * *"}
        assert changed["target"] == TARGETS["EVENT"]


class TestOriginDocuments:
    """The payloads of the documents that the project started from work as they stand."""

    @pytest.fixture(params=["*", "tenant-123"])
    def caller(
        self, request: pytest.FixtureRequest, a_token: Callable[..., str], a_caller: Callable[..., Caller]
    ) -> Iterator[Caller]:
        """With no prefix, as they call it."""
        caller = a_caller(a_token(request.param), base="", **{"X-Tenant-Id": "tenant-123"})
        if not caller.gets("/jobs")["items"]:
            caller.posts("/jobs", {"name": "reports.daily"})
        yield caller
        for schedule in caller.gets("/schedules")["items"]:
            assert caller.delete(f"/schedules/{schedule['id']}").status_code == 204

    @pytest.mark.parametrize("kind", TARGETS)
    def test_a_schedule_is_made_listed_and_disabled(self, caller: Caller, kind: str) -> None:
        asked = {
            "tenantId": "tenant-123",
            "name": "Daily Report",
            "tz": "Europe/Berlin",
            "trigger": {"type": "CRON", "cron": "0 9 * * *"},
            "target": TARGETS[kind],
            "enabled": True,
        }

        made: httpx.Response = caller.post("/schedules", json=asked)

        schedule = expect(made, 201)
        assert {name: schedule[name] for name in asked if name != "target"} == {
            name: asked[name] for name in asked if name != "target"
        }
        assert schedule["target"]["kind"] == kind
        listed = caller.gets("/schedules", tenantId="tenant-123", page=1, pageSize=20)
        assert (listed["items"], listed["page"], listed["pageSize"], listed["total"]) == ([schedule], 1, 20, 1)
        disabled = caller.patches(made.headers["location"], {"enabled": False})
        assert disabled["enabled"] is False
