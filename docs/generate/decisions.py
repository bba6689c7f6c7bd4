"""The list of decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "decisions"

HEAD: Final = """\
# Decisions

Why things are as they are: one short record each, with its context and its consequences.

| | |
| --- | --- |
"""


def page() -> str:
    rows = []
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        title = path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        rows.append(f"| {int(path.name[:4])} | [{title}]({path.name}) |\n")
    return HEAD + "".join(rows)
