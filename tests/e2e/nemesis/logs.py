"""What the processes under test have complained of in their logs: nothing is judged by it, but a reader wants to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

LOUD = ("error", "critical")


def complaints(logs: Iterable[Path]) -> dict[str, int]:
    """How often each thing was logged as an error, with the last line of its traceback; what is no JSON, too."""
    return dict(Counter(text for log in logs if log.exists() for text in _complaints(log)))


def _complaints(log: Path) -> Iterator[str]:
    for line in log.read_bytes().splitlines():
        if line.startswith(b"Traceback"):
            yield "a traceback outside the log"
        if not line.startswith(b"{"):
            continue
        try:
            told = orjson.loads(line)
        except ValueError:
            continue
        if str(told.get("level")).lower() in LOUD:
            cause = str(told.get("exception") or told.get("error") or "").strip().splitlines()
            what = " ".join(str(told[name]) for name in ("event", "loop") if told.get(name))
            yield f"{what}: {cause[-1][:200] if cause else ''}"
