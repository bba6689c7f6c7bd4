"""The pages whose blocks are run: README, CONTRIBUTING, everything in docs, and what is made from the code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from docs.generate import cli, decisions, errors, events, http, sdk, settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

MADE = {
    "reference/http": http.page,
    "reference/cli": cli.page,
    "reference/sdk": sdk.page,
    "reference/settings": settings.page,
    "reference/events": events.page,
    "reference/errors": errors.page,
    "decisions/index": decisions.page,
}


@dataclass(frozen=True, slots=True)
class Page:
    """`name` is its path without the ending."""

    name: str
    text: str = field(repr=False)


def pages() -> list[Page]:
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
    written = [Page(_name_of(path), path.read_text("utf-8")) for path in files]
    return written + [Page(f"docs/{name}", make()) for name, make in MADE.items()]


def _name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()
