"""What MkDocs is told besides the files: pages made from the code, and drawings taken into their pages."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "lib")]  # MkDocs loads this file by its path

from docs.generate import cli, decisions, errors, events, http, sdk, settings, top  # noqa: E402
from mkdocs.config.defaults import MkDocsConfig  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402
from mkdocs.structure.pages import Page  # noqa: E402

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/http.md": http.page,
    "reference/cli.md": cli.page,
    "reference/sdk.md": sdk.page,
    "reference/settings.md": settings.page,
    "reference/events.md": events.page,
    "reference/errors.md": errors.page,
    "decisions/index.md": decisions.page,
    "changelog.md": top.changelog,
    "contributing.md": top.contributing,
}

_DRAWING: Final = re.compile(r"!\[[^\]]*\]\((?:\.\./)*drawings/([\w-]+)\.svg\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, make in PAGES.items():
        files.append(File.generated(config, path, content=make()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:  # Any: MkDocs passes more
    return _DRAWING.sub(lambda found: _drawing(found[1]), markdown)


def _drawing(name: str) -> str:
    """On one line, for an empty one would end it. Its own colours go: the page has them."""
    text = (ROOT / "docs" / "drawings" / f"{name}.svg").read_text("utf-8")
    text = re.sub(r"\.drawing \{ --ink.*?(?=\.drawing text)", "", text, flags=re.DOTALL)
    return " ".join(text.split())
