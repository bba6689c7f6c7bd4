"""One table for people, one file for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.figures import Figure, Outcome
from benchmarks.profile import Table as Profile

DECIMALS_BELOW = 10
"""Larger figures have one decimal, those of a thousand and more none."""
LONGEST_NAME = 150
PROFILE_ROWS = 40


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    table = Table(title="What was measured")
    for column in ("", "figure", "measured", "rounds", "goal"):
        table.add_column(column, justify="right" if column in ("measured", "goal") else "left")
    for outcome in outcomes:
        for number, figure in enumerate(outcome.figures):
            label = f"({outcome.letter}) {outcome.title}" if number == 0 else ""
            table.add_row(label, figure.name, _measured(figure), _samples(figure), _goal(figure))
        if outcome.failure:
            table.add_row(f"({outcome.letter}) {outcome.title}", f"[red]failed: {escape(outcome.failure)}[/]")
        for fault in outcome.faults:
            table.add_row("", f"[red]wrong: {escape(fault)}[/]")
        table.add_section()
    console.print(table)
    for outcome in outcomes:
        for profile in outcome.profile:
            _show_profile(console, profile)


def write(directory: Path, machine: dict[str, Any], outcomes: Sequence[Outcome]) -> Path:  # Any: JSON
    directory.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = directory / f"{now:%Y-%m-%dT%H-%M-%SZ}.json"
    found = {"at": now, "machine": machine, "benchmarks": [_as_json(outcome) for outcome in outcomes]}
    path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))
    return path


def _as_json(outcome: Outcome) -> dict[str, Any]:  # Any: JSON
    return {
        "letter": outcome.letter,
        "title": outcome.title,
        "seconds": round(outcome.seconds, 1),
        "condition": outcome.condition,
        "figures": [
            {
                "name": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "atLeast": figure.at_least,
                "atMost": figure.at_most,
                "isReached": figure.is_reached,
                "rounds": figure.samples,
            }
            for figure in outcome.figures
        ],
        "faults": outcome.faults,
        "failure": outcome.failure or None,
        "profile": outcome.profile,
    }


def _measured(figure: Figure) -> str:
    style = {True: "green", False: "red", None: "default"}[figure.is_reached]
    return f"[{style}]{_number(figure.value)}[/] {figure.unit}".rstrip()


def _samples(figure: Figure) -> str:
    return " ".join(_number(sample) for sample in figure.samples)


def _goal(figure: Figure) -> str:
    if figure.at_least is not None and figure.at_least == figure.at_most:
        return _number(figure.at_least)
    if figure.at_least is not None:
        return f"≥ {_number(figure.at_least)} {figure.unit}"
    return f"≤ {_number(figure.at_most)} {figure.unit}" if figure.at_most is not None else ""


def _number(value: float) -> str:
    if math.isnan(value):
        return "none"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= DECIMALS_BELOW else f"{value:.2f}"


def _show_profile(console: Console, profile: Profile) -> None:
    table = Table(title=profile["title"])
    for column in profile["columns"]:
        table.add_column(column, justify="left" if column == profile["columns"][-1] else "right", overflow="fold")
    for row in profile["rows"][:PROFILE_ROWS]:
        *numbers, name = row
        table.add_row(*map(str, numbers), escape(_cut(name)))
    console.print(table)


def _cut(text: str) -> str:
    """On one line or two; the file has it whole."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]} …"
