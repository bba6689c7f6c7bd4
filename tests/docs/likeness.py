"""Whether what a page shows is what came out: ids, times and other figures may differ, words may not.

`…` stands for anything. In tables it does not matter how wide a column is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Any  # Any: JSON

_LOOSE = (
    ("TIME", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?"),
    ("DAY", r"\d{4}-\d\d-\d\d"),
    ("ID", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    ("TOKEN", r"eyJ[\w.-]+"),
    ("CLOCK", r"\d\d:\d\d:\d\d(?:\.\d+)?"),
    ("FIGURE", r"(?<![\w.])\d+(?:\.\d+)?(?= (?:ms|s|GiB|MiB|kB)\b)"),
    ("ADDRESS", r"(?<=127\.0\.0\.1:)\d+"),
)
_ANY_OF_THEM = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _LOOSE))


def differences(shown: str, printed: str) -> Iterator[str]:
    """Lines that are shown and did not come out, in that order."""
    left = [_plain(line) for line in printed.splitlines()]
    for line in shown.splitlines():
        wanted = _plain(line)
        if not wanted or wanted == "…":
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.split("…"))))
        found = next((place for place, each in enumerate(left) if pattern.fullmatch(each)), None)
        if found is None:
            yield f"nothing printed is like {line!r}"
        else:
            left = left[found + 1 :]


def json_differences(shown: Json, got: Json, path: str = "") -> Iterator[str]:
    """Fields that are shown and are not so. What is not shown may be anything; a list is shown from its beginning."""
    if isinstance(shown, Mapping) and isinstance(got, Mapping):
        for name, value in shown.items():
            if name not in got:
                yield f"{path}.{name} is shown and does not exist"
            else:
                yield from json_differences(value, got[name], f"{path}.{name}")
    elif isinstance(shown, list) and isinstance(got, Sequence) and not isinstance(got, str):
        if len(got) < len(shown):
            yield f"{path}: {len(shown)} are shown, and there are {len(got)}"
        for place, (ours, theirs) in enumerate(zip(shown, got, strict=False)):
            yield from json_differences(ours, theirs, f"{path}.{place}")
    elif isinstance(shown, str) and isinstance(got, str):
        if list(differences(shown, got)):
            yield f"{path}: {shown!r} is shown, and it is {got!r}"
    elif shown != got or isinstance(shown, bool) != isinstance(got, bool):
        yield f"{path}: {shown!r} is shown, and it is {got!r}"


def _plain(line: str) -> str:
    words = _ANY_OF_THEM.sub(lambda found: f"<{found.lastgroup}>", line)
    return " ".join(words.split())
