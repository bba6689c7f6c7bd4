"""The pages whose blocks are run: README and everything in docs."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
AT_THE_TOP = ("README.md", "CONTRIBUTING.md")


def pages() -> list[Path]:
    found = [ROOT / name for name in AT_THE_TOP]
    found += sorted((ROOT / "docs").rglob("*.md"))
    return [page for page in found if page.exists()]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).with_suffix("").as_posix()
