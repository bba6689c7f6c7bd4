"""The packages of Rota and what each imports, drawn from the imports themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from textwrap import wrap
from typing import Final

import grimp
from docs.generate.canvas import LINE_HEIGHT, Canvas

ROOT: Final = "rota"
MIGRATIONS: Final = "rota.migrations"
LAYERS: Final = ("entrypoints", "infrastructure", "application", "domain")
"""From the outside in: each may import those that stand after it."""

ABOUT: Final[Mapping[str, str]] = {
    "entrypoints": "who asks",
    "infrastructure": "how it is done",
    "application": "what can be done",
    "domain": "what is true",
}
MARGIN: Final = 10
WIDTH: Final = 860
PER_ROW: Final = 6
GAP: Final = 10
LINE: Final = 20
LEAST: Final = 2

Imports = Mapping[str, frozenset[str]]


@cache
def imports_of_packages() -> Imports:
    """Of each package, as `domain.time`, those that it imports. Modules of a layer are of it, migrations of none."""
    graph = grimp.build_graph(ROOT)
    found: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules - {ROOT} - graph.find_descendants(MIGRATIONS) - {MIGRATIONS}:
        package = _package(graph, module)
        found[package] |= {
            _package(graph, other) for other in graph.find_modules_directly_imported_by(module) if other != ROOT
        } - {package}
    return {package: frozenset(others) for package, others in sorted(found.items())}


def layer_of(package: str) -> str:
    """What stands beside the layers, such as `rota.testing`, is for those outside too."""
    first = package.partition(".")[0]
    return first if first in LAYERS else LAYERS[0]


def packages() -> Canvas:
    imports = imports_of_packages()
    bands = {layer: [each for each in imports if layer_of(each) == layer] for layer in LAYERS}
    canvas = Canvas(WIDTH, 0, "The packages of Rota in their layers, and what each of them imports.")
    top: float = MARGIN
    for layer, members in bands.items():
        height = _draw_band(canvas, layer, members, imports, top)
        if layer != LAYERS[-1]:
            canvas.arrow((WIDTH / 2, top + height), (WIDTH / 2, top + height + 24), kind="strong")
        top += height + 26
    canvas.height = top - 26 + MARGIN
    return canvas


def _draw_band(canvas: Canvas, layer: str, members: Sequence[str], imports: Imports, top: float) -> float:
    """Answers how high it is."""
    width = (WIDTH - 2 * MARGIN - GAP) / PER_ROW - GAP
    rows = [members[start : start + PER_ROW] for start in range(0, len(members), PER_ROW)]
    y = top + 34
    for row in rows:
        told = [_told(each, imports[each]) for each in row]
        height = 34 + LINE_HEIGHT * max(LEAST, *map(len, told))
        for number, (member, lines) in enumerate(zip(row, told, strict=True)):
            x = MARGIN + GAP + number * (width + GAP)
            kind = "main" if member == layer else ""
            canvas.box((x, y), (width, height), _name(member, layer), *lines, kind=kind, code=True)
        y += height + GAP
    canvas.frame((MARGIN, top), (WIDTH - 2 * MARGIN, y - top), f"{layer}: {ABOUT[layer]}")
    return y - top


def _name(member: str, layer: str) -> str:
    return "its modules" if member == layer else member.removeprefix(f"{layer}.")


def _told(package: str, imported: frozenset[str]) -> list[str]:
    """Siblings by their names, other layers as a whole."""
    own = layer_of(package)
    siblings = sorted(_name(each, own) for each in imported if layer_of(each) == own)
    further = [layer for layer in LAYERS if layer != own and any(layer_of(each) == layer for each in imported)]
    words = ", ".join(siblings + further)
    return wrap(f"imports {words}", LINE) if words else ["imports none of", "the others"]


def _package(graph: grimp.ImportGraph, module: str) -> str:
    parts = module.split(".")[1:]
    if len(parts) > 1 and graph.find_children(f"{ROOT}.{parts[0]}.{parts[1]}"):
        return f"{parts[0]}.{parts[1]}"
    return parts[0]
