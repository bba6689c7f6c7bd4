"""Reports that nobody can read, one of every sort."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

DEPTH = 1_000_000 - 100
HEADERS = 100_000
LARGE = 1_000_000
MANY = 50


@dataclass(frozen=True, slots=True)
class Rubbish:
    """`mark` stands near the beginning of the body; `rows` is how many rejected reports it must leave."""

    mark: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    rows: int = 1


def unreadable(salt: str) -> Iterator[Rubbish]:
    numbers = count(1)

    def of(body: str | bytes, rows: int = 1, headers: Mapping[str, str] | None = None) -> Rubbish:
        """The mark goes where the body says MARK."""
        mark = f"rubbish-{salt}-{next(numbers):02d}."
        raw = body.encode() if isinstance(body, str) else body
        return Rubbish(mark, raw.replace(b"MARK", mark.encode()), headers or {}, rows)

    yield of("{MARK is not JSON")
    yield of(b"\xff\xfe\x80 MARK")
    yield of("\x00\x00 MARK")
    yield of('"MARK"')
    yield of('{"runId": "MARK"}')
    yield of('["MARK"]')
    yield of('[{"MARK": 1}]')
    yield of('[{"kind": "EXPLODED", "runId": "MARK", "attempt": 1, "workerId": "MARK"}]')
    yield of('[{"kind": 7, "runId": ["MARK"], "attempt": {}, "workerId": null}]')
    yield of('[{"kind": "STARTED\\u0000", "runId": "MARK"}]')
    yield of('[{"kind": "\\ud800", "runId": "MARK"}]')
    yield of('[{"kind": "STARTED", "kind": "SUCCEEDED", "runId": "MARK", "runId": "MARK", "attempt": 1}]')
    yield of(f'[{{"kind": "STARTED", "note": "MARK", "attempt": 1e400, {_SOMEBODY}}}]')
    yield of(f'[{{"kind": "STARTED", "note": "MARK", "attempt": {"9" * 400}, {_SOMEBODY}}}]')
    yield of(f'[{{"kind": "STARTED", "note": "MARK", "attempt": -1, {_SOMEBODY}}}]')
    yield of('{"MARK": ' + "[" * DEPTH + "]" * DEPTH + "}")
    yield of("MARK " + "x" * LARGE)
    yield of("MARK has headers", headers={f"h{number}": "x" for number in range(HEADERS)})
    yield of("[" + ",".join(['{"kind": "MARK"}'] * MANY) + "]", rows=MANY)


_SOMEBODY = '"runId": "0189d3a0-0000-7000-8000-000000000001", "workerId": "0189d3a0-0000-7000-8000-000000000002"'
