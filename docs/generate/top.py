"""Pages that stand at the top of the repository, where people look for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def changelog() -> str:
    return _of("CHANGELOG.md")


def contributing() -> str:
    return _of("CONTRIBUTING.md")


def _of(name: str) -> str:
    """Links to other files of the repository lead to their pages."""
    text = (ROOT / name).read_text("utf-8")
    text = re.sub(r"\]\(docs/", "](", text)
    return re.sub(r"\]\(([A-Z]+\.md)\)", lambda found: f"]({found[1].lower()})", text)
