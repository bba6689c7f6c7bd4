"""What may be a job's `payloadSchema`, and how payloads are judged by it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.unit.http.conftest import Served, a_schedule, errors

from rota.domain.errors import InvalidError
from rota.domain.payload import Json
from rota.infrastructure.schemas import JsonSchemaRules

ORDER = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "uniqueItems": True},
        "code": {"type": "string", "pattern": r"^\p{Lu}+$"},
    },
    "patternProperties": {"^x-": {"type": "string"}},
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "properties": {"amount": {"minimum": 0}}}},
}


def text(value: Any) -> Json:
    return Json(json.dumps(value))


def faults_of_schema(schema: Any) -> dict[str, str]:
    try:
        JsonSchemaRules().check_schema(text(schema))
    except InvalidError as error:
        return {fault.field: fault.message for fault in error.faults}
    return {}


def faults_of(payload: Any, schema: Any) -> dict[str, str]:
    try:
        JsonSchemaRules().check(text(schema), None if payload is None else text(payload))
    except InvalidError as error:
        return {fault.field: fault.message for fault in error.faults}
    return {}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        ORDER,
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"},
        {"$id": "https://example.com/order", "properties": {"next": {"$ref": "#"}}},
        {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}},
        {"x-unknown": {"anything": [1, 2]}},
    ],
)
def test_a_json_schema_is_one(schema: Any) -> None:
    assert faults_of_schema(schema) == {}


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "objekt"}, "payloadSchema.type"),
        ({"properties": {"a": {"minLength": -1}}}, "payloadSchema.properties.a.minLength"),
        ({"required": "id"}, "payloadSchema.required"),
        ({"$schema": "https://example.com/own"}, "payloadSchema.$schema"),
        ({"$schema": 7}, "payloadSchema.$schema"),
        ({"properties": {"a": {"$ref": "https://example.com/a"}}}, "payloadSchema.properties.a.$ref"),
        ({"$ref": "file:///etc/passwd"}, "payloadSchema.$ref"),
        ({"$ref": "other.json"}, "payloadSchema.$ref"),
        ({"$ref": "#/$defs/none"}, "payloadSchema.$ref"),
        ({"$ref": "#/title", "title": "text"}, "payloadSchema.$ref"),
        ({"allOf": [{"$id": "https://example.com/a"}]}, "payloadSchema.allOf.0"),
        ({"items": {"pattern": "("}}, "payloadSchema.items.pattern"),
        ({"pattern": "(?=a)b"}, "payloadSchema.pattern"),
        ({"patternProperties": {"(a)\\1": {}}}, "payloadSchema.patternProperties"),
        (
            {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
            "payloadSchema.unevaluatedProperties",
        ),
    ],
)
def test_what_is_none_or_would_lead_out_of_the_house_is_refused(schema: Any, field: str) -> None:
    assert list(faults_of_schema(schema)) == [field]


@pytest.mark.parametrize(
    "payload",
    [
        {"id": 1},
        {"id": 1.0, "code": "ÄÖ", "x-note": "hello"},
        {"id": 1, "lines": [{"amount": 1}, {"amount": 2}]},
    ],
)
def test_a_payload_that_fits_is_let_pass(payload: Any) -> None:
    assert faults_of(payload, ORDER) == {}


@pytest.mark.parametrize(
    ("payload", "faults"),
    [
        (None, {"payload": "None is not of type 'object'"}),
        ({}, {"payload": "'id' is a required property"}),
        ({"id": "1"}, {"payload.id": "'1' is not of type 'integer'"}),
        (
            {"id": 1.5, "lines": [{"amount": -1}]},
            {
                "payload.id": "1.5 is not of type 'integer'",
                "payload.lines.0.amount": "-1 is less than the minimum of 0",
            },
        ),
        ({"id": 1, "code": "é"}, {"payload.code": "'é' does not match '^\\\\p{Lu}+$'"}),
        ({"id": 1, "x-note": 5}, {"payload.x-note": "5 is not of type 'string'"}),
        ({"id": 1, "more": 5}, {"payload.more": "is not allowed"}),
        ({"id": 1, "lines": [{"a": 1}, {"a": 1.0}]}, {"payload.lines.1": "is there twice"}),
    ],
)
def test_every_fault_of_a_payload_has_its_place(payload: Any, faults: dict[str, str]) -> None:
    assert faults_of(payload, ORDER) == faults


def test_a_refusal_does_not_repeat_a_long_payload() -> None:
    (message,) = faults_of(["x" * 100_000], {"type": "object"}).values()

    assert message == "does not satisfy type: 'object'"


def test_of_many_faults_the_first_are_told() -> None:
    assert len(faults_of(["x"] * 1_000, {"items": {"type": "integer"}})) == 20


def deep(levels: int) -> dict[str, Any]:
    """Each level is checked twice for each time that the one above is."""
    defs: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": defs | {f"d{levels}": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("payload", "schema"),
    [
        ({"a": "a" * 10_000 + "!"}, {"properties": {"a": {"pattern": "^(a+)+$"}}}),
        ([{"n": n} for n in range(10_000)], {"uniqueItems": True, "items": {}, "maxItems": 1}),
        (1, deep(60)),
        (1, {"$ref": "#"}),
        (["x" * 200_000], {"anyOf": [{"type": "string"}] * 3_000}),
        ({f"b{n}": 1 for n in range(10_000)}, {"patternProperties": {f"^a{n}": {} for n in range(1_000)}}),
        (5, {"$ref": "#/examples/0", "examples": [{"minimum": "none"}]}),
    ],
)
def test_no_schema_keeps_the_server_busy_or_breaks_it(payload: Any, schema: Any) -> None:
    """That it comes back at all is the point: each of these would take minutes, or for ever, or raise."""
    assert next(iter(faults_of(payload, schema))).startswith("payload")


# As callers meet it


@pytest.fixture
async def orders(acme: httpx.AsyncClient) -> Any:
    """A job whose payloads must be orders."""
    return (await acme.post("/jobs", json={"name": "orders", "payloadSchema": ORDER})).json()


def an_order(payload: Any) -> Any:
    return {"kind": "JOB", "job": "orders", "payload": payload}


async def test_a_run_whose_payload_does_not_fit_is_not_made(
    served: Served, acme: httpx.AsyncClient, orders: Any
) -> None:
    good = {"job": "orders", "payload": {"id": 1}}

    one = await acme.post("/runs", json=good | {"payload": {"id": "1"}})
    many = await acme.post("/runs/batch", json=[good, good | {"payload": {"id": 1, "code": 5}}])
    without = await acme.post("/runs", json={"job": "orders"})

    assert (one.status_code, list(errors(one))) == (422, ["payload.id"])
    assert (many.status_code, list(errors(many))) == (422, ["1.payload.code"])
    assert (without.status_code, list(errors(without))) == (422, ["payload"])
    assert not served.store.tables.runs
    assert (await acme.post("/runs", json=good)).status_code == 201


async def test_a_schedule_whose_payload_does_not_fit_is_not_kept(
    served: Served, acme: httpx.AsyncClient, orders: Any
) -> None:
    refused = await acme.post("/schedules", json=a_schedule(target=an_order({"id": "1"})))
    assert (refused.status_code, list(errors(refused))) == (422, ["target.payload.id"])
    assert not served.store.tables.schedules

    kept = (await acme.post("/schedules", json=a_schedule(target=an_order({"id": 1})))).json()
    patched = await acme.patch(f"/schedules/{kept['id']}", json={"target": an_order([])})
    assert (patched.status_code, list(errors(patched))) == (422, ["target.payload"])
    assert (await acme.get(f"/schedules/{kept['id']}")).json() == kept


async def test_a_schedule_is_not_fired_by_hand_with_a_payload_that_does_not_fit(
    served: Served, acme: httpx.AsyncClient, orders: Any
) -> None:
    kept = (await acme.post("/schedules", json=a_schedule(target=an_order({"id": 1})))).json()

    answer = await acme.post(f"/schedules/{kept['id']}/trigger", json={"payload": {"id": None}})

    assert (answer.status_code, list(errors(answer))) == (422, ["payload.id"])
    assert not served.store.tables.runs


async def test_a_run_is_not_retried_with_a_payload_that_does_not_fit(acme: httpx.AsyncClient, orders: Any) -> None:
    run = (await acme.post("/runs", json={"job": "orders", "payload": {"id": 1}})).json()
    await acme.post(f"/runs/{run['id']}/cancel")

    refused = await acme.post(f"/runs/{run['id']}/retry", json={"payload": {}})
    made = await acme.post(f"/runs/{run['id']}/retry", json={"payload": {"id": 2}})

    assert (refused.status_code, list(errors(refused))) == (422, ["payload"])
    assert (made.status_code, made.json()["payload"]) == (201, {"id": 2})
