"""Reads what the workers wrote themselves: a line of JSON, synced, at the begin and at the end of each handler call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from tests.e2e.checker.history import Execution, Request


def read_journals(paths: Iterable[Path]) -> list[Execution]:
    return [execution for path in sorted(paths) for execution in _read_journal(path)]


def _read_journal(path: Path) -> Iterator[Execution]:
    """Each begin is one execution; an end belongs to the latest begin of the same attempt in the same process."""
    began: dict[tuple[str, int], Mapping[str, Any]] = {}  # Any: JSON
    for line in _whole_lines(path):
        key = (line["runId"], line["attempt"])
        if line["event"] == "begin":
            if key in began:
                yield _execution(began[key], None)
            began[key] = line
        else:
            yield _execution(began.pop(key, line), line)
    for line in began.values():
        yield _execution(line, None)


def read_requests(path: Path) -> list[Request]:
    """None where no receiver ever was."""
    if not path.exists():
        return []
    return [Request(line["id"], line["receiver"], line["signed"]) for line in _whole_lines(path)]


def _whole_lines(path: Path) -> Iterator[Mapping[str, Any]]:  # Any: JSON
    """A killed process may leave its last line torn: that one is no entry."""
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield orjson.loads(line)


def _execution(begin: Mapping[str, Any], end: Mapping[str, Any] | None) -> Execution:  # Any: JSON
    return Execution(
        run=UUID(begin["runId"]),
        attempt=begin["attempt"],
        worker=begin["workerId"],
        began=datetime.fromisoformat(begin["at"]),
        ended=datetime.fromisoformat(end["at"]) if end else None,
    )
