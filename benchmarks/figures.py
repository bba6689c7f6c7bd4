"""What a benchmark finds: figures, each with its goal where it has one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import asyncpg


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`value` is the median of `samples` where a thing was measured several times."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    samples: tuple[float, ...] = ()

    @property
    def is_reached(self) -> bool | None:
        """None without a goal."""
        if self.at_least is None and self.at_most is None:
            return None
        enough = self.at_least is None or self.value >= self.at_least
        return enough and (self.at_most is None or self.value <= self.at_most)


def median_of(name: str, samples: Iterable[float], unit: str = "", **goal: float) -> Figure:
    found = tuple(samples)
    return Figure(name=name, value=median(found), unit=unit, samples=found if len(found) > 1 else (), **goal)


def medians(rounds: Sequence[Sequence[Figure]]) -> list[Figure]:
    """One list of figures from those of several rounds, which all name the same figures in the same order."""
    return [
        Figure(
            name=same[0].name,
            value=median(each.value for each in same),
            unit=same[0].unit,
            at_least=same[0].at_least,
            at_most=same[0].at_most,
            samples=tuple(each.value for each in same) if len(same) > 1 else (),
        )
        for same in zip(*rounds, strict=True)
    ]


def percentile(values: Iterable[float], share: float) -> float:
    """The nearest rank: a value that really occurred; nan of none."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else math.nan


def spread(name: str, values: Sequence[float], unit: str = "ms", *, p99_at_most: float | None = None) -> list[Figure]:
    """p50, p99 and max."""
    return [
        Figure(name=f"{name}, p50", value=percentile(values, 0.50), unit=unit),
        Figure(name=f"{name}, p99", value=percentile(values, 0.99), unit=unit, at_most=p99_at_most),
        Figure(name=f"{name}, max", value=max(values, default=math.nan), unit=unit),
    ]


def cpu_per_run(seconds: Mapping[str, float], runs: int) -> list[Figure]:
    """Of all parties together, and of each."""
    return [
        Figure(name="CPU per run, all", value=sum(seconds.values()) / runs * 1e6, unit="µs"),
        *(
            Figure(name=f"CPU per run, {party}", value=spent / runs * 1e6, unit="µs")
            for party, spent in seconds.items()
        ),
    ]


STEPS: Final = {
    "late_fired": "fired late by",
    "late_begun": "begun by the worker late by",
    "late_started": "start stored late by",
}


def lateness(runs: Sequence[asyncpg.Record], *, fired_p99_at_most: float | None = None) -> list[Figure]:
    """Of each step, over the runs that have taken it; `runs` as `Service.runs_due` answers them."""
    found = []
    for column, name in STEPS.items():
        values = [run[column] for run in runs if run[column] is not None]
        found += spread(name, values, p99_at_most=fired_p99_at_most if column == "late_fired" else None)
    return found


@dataclass(slots=True, kw_only=True)
class Outcome:
    """`faults` are what no noise excuses: due times doubled, missing or unexplained."""

    letter: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    failure: str = ""
    seconds: float = 0.0
    """How long the benchmark took as a whole."""
    condition: dict[str, float] = field(default_factory=dict)
    profile: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON
