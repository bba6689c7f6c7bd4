"""The site is built without a warning and without the network, and stands on its own."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.docs.conftest import Building
from tests.docs.pages import ROOT

PATIENCE = 120
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "use": "href"}
ABOUT_ITSELF = {"canonical", "prev", "next", "edit"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
MENTIONED = re.compile(r"`((?:src/)?(?:domain|application|infrastructure|entrypoints)/[\w/]+(?:\.py)?)`")


@pytest.fixture(scope="module")
def site(building: Building) -> Path:
    """Built strictly: a link to a page or a heading that does not exist ends it."""
    said, _ = building.process.communicate(timeout=PATIENCE)
    assert building.process.returncode == 0, said
    return building.site


def test_each_page_of_the_repository_is_in_the_site(site: Path) -> None:
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    wanted = {path for path in written if path.parts[0] != "news"}

    assert wanted <= {path.relative_to(site) for path in site.rglob("*.html")}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = [(path.name, address) for path in site.rglob("*.html") for address in _Loaded.by(path)]
    assert loaded, "there are styles and scripts"

    assert [each for each in loaded if urlsplit(each[1]).netloc] == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\([\"']?https?:[^)]*|@import[^;]*https?:[^;]*", styles) == []


def test_what_is_loaded_is_there(site: Path) -> None:
    missing = []
    for path in site.rglob("*.html"):
        for address in _Loaded.by(path):
            where = unquote(urlsplit(address).path)
            base = site if where.startswith("/") else path.parent
            if where and not (base / where.lstrip("/")).exists():
                missing.append((path.name, address))

    assert missing == []


def test_links_of_the_readme_lead_somewhere() -> None:
    found = LINK.findall((ROOT / "README.md").read_text("utf-8"))

    assert found
    assert [
        link for link in found if not link.startswith("http") and not (ROOT / link.partition("#")[0]).exists()
    ] == []


def test_files_that_pages_name_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "docs" / "architecture.md"]
    named = {name.removeprefix("src/") for page in pages for name in MENTIONED.findall(page.read_text("utf-8"))}

    assert named
    assert {name for name in named if not (ROOT / "src" / name).exists()} == set()


def test_the_targets_of_make_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        name for page in pages for name in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    }

    assert named - targets == set()


class _Loaded(HTMLParser):
    """Addresses that a browser asks for by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @classmethod
    def by(cls, path: Path) -> list[str]:
        parser = cls()
        parser.feed(path.read_text("utf-8"))
        return parser.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        address = known.get(LOADS.get(tag, ""))
        if address and known.get("rel") not in ABOUT_ITSELF and not address.startswith(("data:", "#")):
            self.found.append(address)
