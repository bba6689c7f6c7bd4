"""Boxes, arrows and words as SVG that looks well on a light and on a dark page, with nothing loaded from anywhere.

As an image it follows the reader's system; where a page takes it in whole, `assets/rota.css` makes it follow the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

STYLE: Final = """\
.drawing { --ink: #1c2438; --soft: #566079; --line: #8791ab; --fill: #f3f5fb; --accent: #3949ab; --tint: #e4e8fa;
  --good: #1b7f4d; --bad: #b3372f; font-family: system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
@media (prefers-color-scheme: dark) { .drawing { --ink: #e9ecf5; --soft: #a9b2ca; --line: #7e89a8; --fill: #242a3a;
  --accent: #a5b0fb; --tint: #2f3658; --good: #6fcf9f; --bad: #f0938b; } }
"""
RULES: Final = """\
.drawing text { fill: var(--ink); font-size: 14px; text-anchor: middle; }
.drawing .name { font-weight: 600; }
.drawing .soft { fill: var(--soft); font-size: 11.5px; }
.drawing .left { text-anchor: start; }
.drawing .right { text-anchor: end; }
.drawing .code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 12.5px; }
.drawing .box { fill: var(--fill); stroke: var(--line); stroke-width: 1.2; }
.drawing .main { fill: var(--tint); stroke: var(--accent); }
.drawing .good { stroke: var(--good); stroke-width: 1.8; }
.drawing .bad { stroke: var(--bad); stroke-width: 1.8; }
.drawing .frame { fill: none; stroke: var(--line); stroke-dasharray: 4 4; }
.drawing .arrow { fill: none; stroke: var(--line); stroke-width: 1.6; }
.drawing .strong { stroke: var(--accent); stroke-width: 2; }
.drawing .dashed { stroke-dasharray: 5 4; }
.drawing .head { fill: var(--line); stroke: none; }
.drawing .strong-head { fill: var(--accent); stroke: none; }
"""
LINE_HEIGHT: Final = 17
MIDDLE_OF_TEXT: Final = 5

Point = tuple[float, float]


@dataclass(slots=True)
class Canvas:
    """`told` is what a reader is told who cannot see it."""

    width: int
    height: float
    told: str
    parts: list[str] = field(default_factory=list)

    def box(self, at: Point, size: Point, name: str, *lines: str, kind: str = "", code: bool = False) -> None:
        """`at` is its upper left corner; the words stand in its middle."""
        (x, y), (width, height) = at, size
        self.parts.append(f'<rect class="box {kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>')
        top = y + height / 2 + MIDDLE_OF_TEXT - LINE_HEIGHT * len(lines) / 2
        self.words((x + width / 2, top), name, kind="name code" if code else "name")
        for number, line in enumerate(lines, start=1):
            self.words((x + width / 2, top + LINE_HEIGHT * number), line, kind="soft")

    def frame(self, at: Point, size: Point, name: str) -> None:
        (x, y), (width, height) = at, size
        self.parts.append(f'<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>')
        self.words((x + 12, y + 20), name, kind="soft left")

    def words(self, at: Point, text: str, *, kind: str = "") -> None:
        self.parts.append(f'<text class="{kind}" x="{at[0]:g}" y="{at[1]:g}">{escape(text)}</text>')

    def arrow(
        self, *points: Point, label: str = "", at: Point | None = None, kind: str = "", words: str = "soft"
    ) -> None:
        """Through the points, with its head at the last. The label stands above the middle, or where it is put."""
        line = " ".join(f"{x:g},{y:g}" for x, y in points)
        head = "strong" if "strong" in kind else "plain"
        self.parts.append(f'<polyline class="arrow {kind}" points="{line}" marker-end="url(#{head})"/>')
        if label:
            (ax, ay), (bx, by) = points[0], points[-1]
            self.words(at or ((ax + bx) / 2, (ay + by) / 2 - 7), label, kind=words)

    def curve(self, start: Point, bend: Point, end: Point, *, kind: str = "") -> None:
        path = f"M{start[0]:g},{start[1]:g} Q{bend[0]:g},{bend[1]:g} {end[0]:g},{end[1]:g}"
        head = "strong" if "strong" in kind else "plain"
        self.parts.append(f'<path class="arrow {kind}" d="{path}" marker-end="url(#{head})"/>')

    def svg(self) -> str:
        lines: Sequence[str] = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" '
            f'viewBox="0 0 {self.width} {self.height:g}" width="{self.width}" height="{self.height:g}">',
            f"<title>{escape(self.told)}</title>",
            f"<style>\n{STYLE}{RULES}</style>",
            "<defs>",
            _head("plain", "head"),
            _head("strong", "strong-head"),
            "</defs>",
            *self.parts,
            "</svg>",
        )
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path class="{kind}" d="M0,0 L10,5 L0,10 z"/></marker>'
    )
