"""python -m benchmarks [a b c d e f g o] [--runs N] [--out DIR] [--million] [--profile]"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.markup import escape

from benchmarks import capacity, end_to_end, failover, fairness, herd, limits, machine, outage, precision, report
from benchmarks.figures import Outcome
from benchmarks.processes import ROOT
from benchmarks.size import RUNS, Bench, Size

Measure = Callable[[Bench], Awaitable[Outcome]]

BENCHMARKS: Mapping[str, tuple[str, Measure]] = {
    "a": (end_to_end.TITLE, end_to_end.measure),
    "b": (herd.TITLE, herd.measure),
    "c": (precision.TITLE, precision.measure),
    "d": (capacity.TITLE, capacity.measure),
    "e": (failover.TITLE, failover.measure),
    "f": (limits.TITLE, limits.measure),
    "g": (fairness.TITLE, fairness.measure),
    "o": (outage.TITLE, outage.measure),
}
LONGEST = 150.0
"""Seconds a benchmark may take; one that takes longer has failed."""
LONGEST_MILLION = 3600.0
SETTLE = 2.0
WIDTH = 132
"""Of the tables, where they are not shown on a terminal."""


def main() -> None:
    given = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, width=WIDTH)
    size = Size(given.runs, given.million)
    outcomes = [_measure(letter, size, console, is_profiled=given.profile) for letter in given.which or BENCHMARKS]
    report.show(console, outcomes)
    console.print(f"written to {report.write(given.out, machine.facts(), outcomes)}")
    if any(outcome.failure or outcome.faults for outcome in outcomes):
        sys.exit(1)


def _measure(letter: str, size: Size, console: Console, *, is_profiled: bool) -> Outcome:
    title, measure = BENCHMARKS[letter]
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/]  ({letter}) {title}: {escape(text)}")

    with TemporaryDirectory(prefix="rota-bench-", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary)
        directory.chmod(0o755)  # as root, Postgres runs as somebody else and must pass through
        condition = machine.condition(directory)
        say(f"load {condition['loadBefore']}, a fixed calculation {condition['calculationMs']} ms, "
            f"a synced write {condition['fsyncMs']} ms")  # fmt: skip
        bench = Bench(size, directory, say, is_profiled)
        outcome = asyncio.run(_bounded(measure, bench, letter, title))
    outcome.condition, outcome.seconds = condition, time.monotonic() - began
    time.sleep(SETTLE)
    return outcome


async def _bounded(measure: Measure, bench: Bench, letter: str, title: str) -> Outcome:
    """A benchmark that fails spoils no other."""
    try:
        async with asyncio.timeout(LONGEST_MILLION if bench.size.is_million else LONGEST):
            return await measure(bench)
    except Exception as error:  # whatever it was, it is told and the others go on
        failure = str(error) or type(error).__name__
        bench.say(f"failed: {failure}")
        return Outcome(letter=letter, title=title, failure=failure)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast, how punctual, how costly.")
    parser.add_argument(
        "which", nargs="*", choices=[*BENCHMARKS, []], metavar="a b c d e", help="all, if none is named"
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"scales everything; the goals are for {RUNS}")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "out", help="where the JSON goes")
    parser.add_argument("--million", action="store_true", help="(d) with a million resting schedules: takes long")
    parser.add_argument("--profile", action="store_true", help="where the time of a, b and c goes; slows them a little")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error("--runs must be at least 1")
    return given


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
