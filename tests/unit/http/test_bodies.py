"""Bodies at the limits of what is read, and beyond."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_schedule, errors

MIB = 1024 * 1024


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + "1" + closing * depth


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"not JSON",
        b'{"job": "reports.daily",}',
        b'{"job": "reports.daily", "payload": NaN}',
        b'{"job": "reports.daily", "payload": Infinity}',
        b'{"job": "reports.daily", "payload": 1e400}',
        b'{"job": "reports.daily", "payload": "\\ud800"}',
        b'{"job": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"job": "a"} {}',
        b"\x1f\x8b\x08\x00",
    ],
)
@pytest.mark.parametrize("path", ["/runs", "/runs/batch", "/schedules", "/jobs", "/workers/register"])
async def test_what_is_not_json_is_unreadable(served: Served, acme: httpx.AsyncClient, path: str, raw: bytes) -> None:
    answer = await acme.post(path, content=raw)

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:rota:error:unreadable")
    assert not served.store.tables.events


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"5", b"null", b"true"])
async def test_a_body_must_be_an_object(acme: httpx.AsyncClient, raw: bytes) -> None:
    answer = await acme.post("/runs", content=raw)

    assert (answer.status_code, list(errors(answer))) == (422, [""])


@pytest.mark.parametrize("raw", [b"{}", b'"x"', b"5", b"null"])
async def test_a_batch_must_be_a_list(acme: httpx.AsyncClient, raw: bytes) -> None:
    answer = await acme.post("/runs/batch", content=raw)

    assert (answer.status_code, list(errors(answer))) == (422, [""])


async def test_the_declared_length_is_judged_before_anything_is_read(acme: httpx.AsyncClient) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    for length in ("8388609", "9" * 30):
        answer = await acme.post("/runs", content=never(), headers={"Content-Length": length})
        assert answer.status_code == 413


async def test_a_body_without_a_length_is_stopped_at_the_limit(acme: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += MIB
            yield b" " * MIB

    answer = await acme.post("/runs/batch", content=endless())

    assert answer.status_code == 413
    assert answer.json() == {
        "type": "urn:rota:error:too-large",
        "title": "Too large",
        "status": 413,
        "detail": "a body has at most 8 MiB",
        "instance": "/api/v1/runs/batch",
    }
    assert read == 9 * MIB


async def test_a_body_of_just_the_limit_is_read(acme: httpx.AsyncClient, job: Json) -> None:
    body = b'{"job": "reports.daily"}'

    assert (await acme.post("/runs", content=body + b" " * (8 * MIB - len(body)))).status_code == 201


@pytest.mark.parametrize(("size", "status"), [(256 * 1024, 201), (256 * 1024 + 1, 422)])
async def test_a_payload_has_a_size(acme: httpx.AsyncClient, job: Json, size: int, status: int) -> None:
    payload = "x" * (size - 2)

    answer = await acme.post("/runs", json={"job": "reports.daily", "payload": payload})

    assert answer.status_code == status
    if status == 422:
        assert errors(answer) == {"payload": "must be at most 256 KiB"}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"[":', "}"), ('[{"a":', "}]")])
@pytest.mark.parametrize(("levels", "status"), [(64, 201), (66, 422), (190, 422), (1_000, 422), (100_000, 422)])
async def test_a_payload_has_a_depth(
    acme: httpx.AsyncClient, job: Json, opening: str, closing: str, levels: int, status: int
) -> None:
    payload = nested(levels // (opening.count("[") + opening.count("{") - opening.count('"[')), opening, closing)

    one = await acme.post("/runs", content=f'{{"job": "reports.daily", "payload": {payload}}}')
    many = await acme.post(
        "/runs/batch", content=f'[{{"job": "reports.daily"}}, {{"job": "reports.daily", "payload": {payload}}}]'
    )

    assert (one.status_code, many.status_code) == (status, status)
    if status == 422:
        assert errors(one) == {"payload": "must not be nested deeper than 64"}
        assert errors(many) == {"1.payload": "must not be nested deeper than 64"}


async def test_many_brackets_are_not_a_depth(acme: httpx.AsyncClient, job: Json) -> None:
    payload = [[[], {}, "]]]" * 100, "[[[" * 100, '"\\[']] * 100

    answer = await acme.post("/runs", json={"job": "reports.daily", "payload": payload})

    assert (answer.status_code, answer.json()["payload"]) == (201, payload)


async def test_a_target_that_is_too_deep_is_named(acme: httpx.AsyncClient, job: Json) -> None:
    for levels in (65, 300):
        deep = json.dumps(a_schedule()).replace('"reports.daily"', f'"reports.daily", "payload": {nested(levels)}')
        answer = await acme.post("/schedules", content=deep)
        assert (answer.status_code, list(errors(answer))) == (422, ["target.payload"])


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**64 - 1, 1.5, 1e300, 5e-324, 0.1])
async def test_numbers_come_back_as_they_went(acme: httpx.AsyncClient, job: Json, number: float) -> None:
    answer = await acme.post("/runs", json={"job": "reports.daily", "payload": {"n": number}})

    assert answer.json()["payload"] == {"n": number}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**100])
async def test_an_integer_beyond_64_bits_is_refused_where_it_stands(
    acme: httpx.AsyncClient, job: Json, number: int
) -> None:
    batch = [{"job": "reports.daily"}, {"job": "reports.daily", "payload": [number]}]

    answer = await acme.post("/runs/batch", json=batch)

    assert (answer.status_code, list(errors(answer))) == (422, ["1.payload"])


async def test_a_nul_in_a_payload_is_carried(acme: httpx.AsyncClient, job: Json) -> None:
    answer = await acme.post("/runs", json={"job": "reports.daily", "payload": "a\x00b"})

    assert answer.json()["payload"] == "a\x00b"


async def test_a_batch_has_at_most_a_thousand_items(served: Served, acme: httpx.AsyncClient, job: Json) -> None:
    one = {"job": "reports.daily"}

    most = await acme.post("/runs/batch", json=[one] * 1000)
    more = await acme.post("/runs/batch", json=[one] * 1001)
    schedules = await acme.post("/schedules/batch", json=[{}] * 1001)

    assert (most.status_code, len(most.json()["items"])) == (201, 1000)
    assert (more.status_code, errors(more)) == (422, {"1000": "a batch has at most 1,000 items"})
    assert (schedules.status_code, list(errors(schedules))) == (422, ["1000"])
    assert len(served.store.tables.runs) == 1000


async def test_an_empty_batch_makes_nothing(acme: httpx.AsyncClient) -> None:
    answer = await acme.post("/runs/batch", json=[])

    assert (answer.status_code, answer.json()) == (201, {"items": []})


async def test_more_faults_than_anybody_reads_are_only_counted(acme: httpx.AsyncClient) -> None:
    answer = await acme.post("/runs", json={f"x{n}": n for n in range(20_000)})

    assert answer.status_code == 422
    assert len(answer.content) < 1_000


async def test_a_name_as_long_as_a_body_is_not_sent_back_whole(acme: httpx.AsyncClient) -> None:
    answer = await acme.post("/runs", json={"x" * MIB: 1, "job": "y"})

    assert answer.status_code == 422
    assert len(answer.content) < 1_000


async def test_no_matter_what_it_calls_itself_json_is_read(acme: httpx.AsyncClient, job: Json) -> None:
    for kind in ("text/plain", "application/merge-patch+json", "nonsense"):
        answer = await acme.post("/runs", content=b'{"job": "reports.daily"}', headers={"Content-Type": kind})
        assert answer.status_code == 201


@pytest.mark.parametrize(("written", "status"), [("3.0", 201), ("3e0", 201), ("3.5", 422), ('"3"', 422), ("true", 422)])
async def test_an_integer_may_be_written_as_json_has_them(acme: httpx.AsyncClient, written: str, status: int) -> None:
    answer = await acme.post("/jobs", content=f'{{"name": "a", "maxConcurrent": {written}}}')

    assert answer.status_code == status
    assert status != 201 or answer.json()["maxConcurrent"] == 3
